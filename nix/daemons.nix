# The table of daemons. A new one is one entry here: its package, its module and its checks follow.
{
  tap = {
    description = "publishes what a master executed as a feed";
  };
  emitter = {
    description = "delivers transactions to nodes and tells what became of them";
  };
  health = {
    description = "tells who is fit to serve, and why not";
  };
  relay = {
    description = "keeps private orders durably and delivers them to builders";
  };
  replica = {
    description = "replays a feed and answers JSON-RPC";
  };
}
