< Beacon : Text | Daemon : Text | Feed : Text | Node : Text | Replica : Text >
