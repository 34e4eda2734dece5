# The module of one daemon: services.maidenlane.<daemon>.<instance>.
#
# The unit is the package's template; what NixOS adds is a drop-in. Dhall stays the language of the settings: no field of
# theirs is an option here.
daemon:
{ description }:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.maidenlane;
  instances = lib.filterAttrs (_: instance: instance.enable) cfg.${daemon};
  kept = lib.filterAttrs (_: instance: instance.snapshots or false) instances;
  credentials =
    instance:
    lib.mkIf (instance.credentials != { }) {
      LoadCredential = lib.mapAttrsToList (credential: path: "${credential}:${path}") instance.credentials;
    };
  settings =
    instance:
    import ../settings.nix {
      inherit pkgs daemon instance;
      inherit (cfg) package;
      directory = cfg.settings;
    };

  instanceOptions = {
    options = {
      enable = lib.mkOption {
        type = lib.types.bool;
        default = true;
        description = "Whether this instance runs.";
      };
      credentials = lib.mkOption {
        type = lib.types.attrsOf lib.types.str;
        default = { };
        example = {
          kafka-password = "/run/secrets/kafka-password";
        };
        description = ''
          Files that hold secrets, by the names under which the settings mention them: `{credential:kafka-password}`.
          They are read by systemd when the service starts, and never enter the Nix store.
        '';
      };
    }
    // lib.optionalAttrs (daemon == "replica") {
      snapshots = lib.mkOption {
        type = lib.types.bool;
        default = false;
        description = ''
          Whether a snapshot is made and verified once a day, as `snapshots.target` of the settings says. A repository on
          this machine takes `ReadWritePaths` for both services, `maidenlane-replica@` and `maidenlane-snapshot@`.
        '';
      };
    };
  };
in
{
  imports = [ ./shared.nix ];

  options.services.maidenlane.${daemon} = lib.mkOption {
    type = lib.types.attrsOf (lib.types.submodule instanceOptions);
    default = { };
    example = {
      main = { };
    };
    description = "Instances of maidenlane-${daemon}, which ${description}. Each has settings of its own name.";
  };

  config = lib.mkIf (instances != { }) {
    assertions = lib.mapAttrsToList (name: instance: {
      assertion = lib.all (path: !(lib.hasPrefix builtins.storeDir path)) (lib.attrValues instance.credentials);
      message = ''
        services.maidenlane.${daemon}.${name}.credentials: a file in the Nix store is readable by everybody; name one
        outside it, as a string.
      '';
    }) instances;

    environment.etc = lib.mapAttrs' (
      name: _: lib.nameValuePair "maidenlane/${daemon}/${name}.dhall" { source = settings name; }
    ) instances;

    systemd.services = lib.mapAttrs' (
      name: instance:
      lib.nameValuePair "maidenlane-${daemon}@${name}" {
        overrideStrategy = "asDropin";
        wantedBy = [ "maidenlane.target" ];
        # Other settings alone reload; another package changes the unit, which restarts it.
        reloadTriggers = [ (settings name) ];
        # In one step: clients of a replica see no gap between stop and start that a long activation makes.
        stopIfChanged = false;
        serviceConfig = credentials instance;
      }
    ) instances
    // lib.mapAttrs' (
      name: instance:
      lib.nameValuePair "maidenlane-snapshot@${name}" {
        overrideStrategy = "asDropin";
        serviceConfig = credentials instance;
      }
    ) kept;

    systemd.timers = lib.mapAttrs' (
      name: _:
      lib.nameValuePair "maidenlane-snapshot@${name}" {
        overrideStrategy = "asDropin";
        wantedBy = [ "maidenlane.target" ];
      }
    ) kept;
  };
}
