# nixosModules: one per daemon, `master` for the machine of the executing node, `default` with all of them.
{
  lib,
  daemons,
  overlay,
}:
let
  perDaemon = lib.mapAttrs (name: import ./daemon.nix name) daemons;
  master = import ./master.nix;
in
perDaemon
// {
  inherit master;
  default = {
    imports = [ master ] ++ lib.attrValues perDaemon;
    nixpkgs.overlays = [ overlay ];
  };
}
