# What every machine with a daemon has: the package with its units, the two groups, the shared directories.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.maidenlane;
in
{
  # Imported by several modules, and counted once.
  key = "maidenlane-shared";

  options.services.maidenlane = {
    package = lib.mkPackageOption pkgs "maidenlane" { };

    settings = lib.mkOption {
      type = lib.types.path;
      example = lib.literalExpression "./maidenlane";
      description = ''
        Directory of Dhall settings, laid out like `/etc/maidenlane`: `cluster.dhall` and `<daemon>/<instance>.dhall`.
        Begin with a copy of `dhall/deploy/one-machine`. They are checked while the system is built.
      '';
    };
  };

  config = {
    environment.systemPackages = [ cfg.package ];
    systemd.packages = [ cfg.package ];
    systemd.tmpfiles.packages = [ cfg.package ];
    systemd.targets.maidenlane.wantedBy = [ "multi-user.target" ];
    users.groups.maidenlane = { };
    users.groups.maidenlane-master = { };
  };
}
