"""What goes wrong in a world, by the kinds of fault that scenarios know.

    links      partition, cut, flap, clog, link, reset, eclipse, lose-kind
    processes  crash, restart, power-cut, rolling-restart, pause, slow-cpu
    disks      disk-full, disk-error, slow-fsync, stall, restore-backup, lose-disk, bit-flip,
               store-stall, misread
    clocks     skew, clock-jump, clock-stop, clock-drift
    members    member-change (admit, remove)
    authorities  authority-change (add, remove, rotate)
    recovery   recovery: too many authorities are lost, and operators act
    plan       when faults begin and end
    habits     what else is different in runs with random faults
    draw       `random`: which faults a seed makes of it

A fault is a function of the world and of the scenario's `Fault`. It returns how it ends.
"""
