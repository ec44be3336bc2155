"""The daemon: everything Placet does. Sockets, files, LevelDB and the command line; no rules."""
