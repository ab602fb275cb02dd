"""What a day's pumping costs in EPANET's Net3 network, and what it does to the pressure."""

import wntr
from wntr.network import LinkStatus, controls

HOUR = 3600  # seconds
DAYS = 2  # the first fills the tanks, the second is judged


def work(network, start, hours, low, high):
    """Energy (kWh) and lowest pressure (m) of the second day.

    The lake's pump 10 runs from the hour `start` for `hours` hours; the river's pump 335 starts when
    tank 1 falls below `low` metres and stops above `high`. `network` is the path of net3.inp.
    """
    model = wntr.network.WaterNetworkModel(network)
    model.options.time.duration = DAYS * 24 * HOUR
    model.options.quality.parameter = "NONE"
    schedule(model, start, hours, low, high)

    found = wntr.sim.EpanetSimulator(model).run_sim(file_prefix="temp")
    second_day = slice((DAYS - 1) * 24 * HOUR, None)
    energy = wntr.metrics.pump_energy(found.link["flowrate"], found.node["head"], model)
    per_pump = energy.loc[second_day].iloc[:-1].sum() / 3.6e6  # joules of an hour each
    pressure = found.node["pressure"].loc[second_day, model.junction_name_list]
    return {
        "energy": per_pump.sum(),
        "energy_of": {f"pump_{name}": per_pump[name] for name in model.pump_name_list},
        "lowest_pressure": pressure.min().min(),
        "level_gained": found.node["pressure"].loc[second_day, "1"].iloc[[0, -1]].diff().iloc[-1],
    }


def schedule(model, start, hours, low, high):
    """The schedule of net3.inp, with our numbers in it."""
    for name in model.control_name_list:
        model.remove_control(name)
    lake, river = model.get_link("10"), model.get_link("335")
    bypass, tank = model.get_link("330"), model.get_node("1")

    for day in range(DAYS):
        for hour, status in ((start, LinkStatus.Open), (start + hours, LinkStatus.Closed)):
            moment = controls.SimTimeCondition(model, "=", (day * 24 + hour) * HOUR)
            add(model, moment, lake, status)
    below = controls.ValueCondition(tank, "level", "<", low)
    above = controls.ValueCondition(tank, "level", ">", high)
    add(model, below, river, LinkStatus.Open)
    add(model, above, river, LinkStatus.Closed)
    add(model, below, bypass, LinkStatus.Closed)
    add(model, above, bypass, LinkStatus.Open)


def add(model, condition, link, status):
    action = controls.ControlAction(link, "status", status)
    model.add_control(f"{link.name} {status.name} {condition}", controls.Control(condition, action))
