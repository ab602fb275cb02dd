"""A week in EPANET's Net3 network, whose old pipes are not as wide as the plans say.

CloudBurst calls `work` once per job. Nothing here knows of CloudBurst: a notebook can call it too.
"""

from pathlib import Path
from random import Random

import wntr

NETWORK = Path(__file__).with_name("net3.inp")
QUARTER_HOUR = 15 * 60  # seconds


def work(spread, demand, hours, seed):
    """Simulate `hours` hours of Net3 in steps of 15 minutes, all demands multiplied by `demand`.

    Every pipe's diameter is scaled by a factor of its own, uniform in [1 - spread, 1 + spread]: the
    draws of `random.Random(seed)`, in the order of the pipes in net3.inp.

    Pressures, levels and heads are in metres of water, series are over seconds from the start. A
    pressure below zero means that the network cannot deliver what is asked of it there.
    """
    network = wntr.network.WaterNetworkModel(NETWORK)
    network.options.time.duration = hours * 3600
    network.options.time.hydraulic_timestep = QUARTER_HOUR
    network.options.time.report_timestep = QUARTER_HOUR
    network.options.hydraulic.demand_multiplier = demand
    network.options.quality.parameter = "NONE"  # nobody asks where the water came from: a quarter less work

    draw = Random(seed)
    for _, pipe in network.pipes():
        pipe.diameter *= draw.uniform(1 - spread, 1 + spread)

    # EPANET leaves temp.* in the working directory, which is a scratch of this job's own.
    simulated = wntr.sim.EpanetSimulator(network).run_sim(file_prefix="temp")
    pressure = simulated.node["pressure"]
    head = simulated.node["head"]

    lowest = pressure[network.junction_name_list].min()
    node = lowest.idxmin()
    tanks = network.tank_name_list
    return {
        "lowest_pressure": lowest[node],
        "lowest_node": node,
        "lowest_hour": pressure[node].idxmin() / 3600,
        "final_level": pressure[tanks].iloc[-1].add_prefix("tank_").to_dict(),
        **head[tanks].rename_axis("time").add_prefix("tank_"),  # a series each: tank_1, tank_2, tank_3
    }
