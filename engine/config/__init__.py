"""Text from files into typed values, or into a list of everything that is wrong with it.

`fleet_file.load_fleet` reads the desired state, `policy_file.load_policies` what may be done about it.
"""
