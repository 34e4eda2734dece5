# The machine of the executing node: opens geth's spool and socket to the tap.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.maidenlane.master;
  # The drop-in that every system gets, under the name of this machine's geth.
  dropIn = pkgs.runCommand "maidenlane-master" { } ''
    mkdir -p $out/lib/systemd/system/${cfg.service}.service.d
    cp ${../../systemd/geth.service.d/maidenlane.conf} $out/lib/systemd/system/${cfg.service}.service.d/maidenlane.conf
  '';
in
{
  imports = [ ./shared.nix ];

  options.services.maidenlane.master = {
    enable = lib.mkEnableOption "geth's spool and socket for maidenlane-tap";

    service = lib.mkOption {
      type = lib.types.str;
      default = "geth-mainnet";
      description = "Name of the service that runs geth, such as the one that `services.geth.mainnet` makes.";
    };

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.maidenlanePackages.geth;
      defaultText = lib.literalExpression "pkgs.maidenlanePackages.geth";
      description = "geth with the hook, for `services.geth.<name>.package`.";
    };

    proofs = lib.mkEnableOption "trie nodes in the spool, which a tap needs whose settings say `proofs = True`";

    arguments = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      readOnly = true;
      default = [
        "--ipcpath=/run/geth/geth.ipc"
        "--vmtrace=maidenlane"
        "--vmtrace.jsonconfig=${
          builtins.toJSON ({ spool = "/var/lib/maidenlane/spool"; } // (if cfg.proofs then { trie = true; } else { }))
        }"
      ];
      defaultText = lib.literalExpression ''[ "--ipcpath=…" "--vmtrace=maidenlane" "--vmtrace.jsonconfig=…" ]'';
      description = "What geth must be started with, for `services.geth.<name>.extraArgs`.";
    };
  };

  config = lib.mkIf cfg.enable {
    systemd.packages = [ dropIn ];
  };
}
