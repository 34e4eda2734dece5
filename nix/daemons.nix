# The table of daemons. A new one is one entry here: its package, its module and its checks follow.
{
  tap = {
    description = "publishes what a master executed as a feed";
  };
  replica = {
    description = "replays a feed and answers JSON-RPC";
  };
}
