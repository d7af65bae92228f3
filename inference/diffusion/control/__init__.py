"""ControlNets: networks that hold a picture to edges, depth or poses of another one."""
