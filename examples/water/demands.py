"""How sure can one be of the pressure when nobody knows what each house uses?"""

import wntr


def work(network, demand, hour):
    """Net3 with every junction's demand multiplied by a factor of its own, each hour's by another.

    `demand` maps a junction to its factor, `hour` lists 24 factors. `network` is the path of net3.inp. Pressures
    are in metres of water.
    """
    model = wntr.network.WaterNetworkModel(network)
    model.options.time.duration = 24 * 3600
    model.options.quality.parameter = "NONE"
    for name, factor in demand.items():
        for use in model.get_node(name).demand_timeseries_list:
            use.base_value *= factor
    daily = model.get_pattern("1")
    daily.multipliers = [base * factor for base, factor in zip(daily.multipliers, hour, strict=True)]

    found = wntr.sim.EpanetSimulator(model).run_sim(file_prefix="temp")
    pressure = found.node["pressure"][list(demand)]
    return {
        "lowest_pressure": pressure.min().min(),
        "lowest_node": pressure.min().idxmin(),
        "low_for_hours": int((pressure.min(axis="columns") < 28).sum()),  # 28 m, 40 psi, is what is promised
    }
