// What `dashboard.ts` has to fit: Grafana's own types, as @grafana/schema publishes them.
import type { Dashboard, Panel, RowPanel, VariableModel, DataQuery } from '@grafana/schema';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.d.ts';
import type * as histogram from '@grafana/schema/dist/esm/raw/composable/histogram/panelcfg/x/HistogramPanelCfg_types.gen.d.ts';
import type * as xychart from '@grafana/schema/dist/esm/raw/composable/xychart/panelcfg/x/XYChartPanelCfg_types.gen.d.ts';

// JSON has no enums: where a type asks for a member of one, its text will do.
type Json<T> = T extends string
  ? `${T}`
  : T extends readonly (infer E)[]
    ? Json<E>[]
    : T extends object
      ? { [K in keyof T]: Json<T[K]> }
      : T;

// The datasource's part of a query is not published; these keys are what its editor writes.
interface Query extends DataQuery {
  query: string;
  rawQuery: boolean;
  resultFormat: 'time_series' | 'table';
  alias?: string;
}

// Published panels leave options and custom fields open; each kind of panel closes its own.
type Of<Kind extends string, Options, Custom> = Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Kind;
  options: Options;
  targets: Query[];
  fieldConfig: Omit<NonNullable<Panel['fieldConfig']>, 'defaults'> & {
    defaults: Omit<NonNullable<Panel['fieldConfig']>['defaults'], 'custom'> & { custom?: Partial<Custom> };
  };
};

type Known =
  | Of<'timeseries', timeseries.Options, timeseries.FieldConfig>
  | Of<'stat', stat.Options, never>
  | Of<'table', table.Options, table.FieldConfig>
  | Of<'histogram', histogram.Options, histogram.FieldConfig>
  | Of<'xychart', xychart.Options, xychart.FieldConfig>;

export type Published = Json<
  Omit<Dashboard, 'panels' | 'templating'> & {
    panels: (Known | RowPanel)[];
    templating: { list: VariableModel[] };
  }
>;
