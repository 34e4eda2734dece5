# A virtual machine with geth, tap and replica, held to the same script as the container of the suite.
{ pkgs, modules }:
let
  settings = pkgs.runCommand "settings" { } ''
    cp -r ${../dhall/deploy/one-machine} $out
    chmod -R u+w $out
    sed --in-place 's/name = "mainnet", id = 1 /name = "developer", id = 1337 /' $out/cluster.dhall
  '';
in
pkgs.testers.runNixOSTest {
  name = "maidenlane";

  # The module brings its packages with an overlay.
  node.pkgsReadOnly = false;

  nodes.machine =
    { config, ... }:
    {
      imports = [ modules.default ];
      services.maidenlane = {
        inherit settings;
        master = {
          enable = true;
          service = "geth";
        };
        tap.main = { };
        replica.main = { };
      };
      systemd.services.geth = {
        wantedBy = [ "multi-user.target" ];
        serviceConfig = {
          DynamicUser = true;
          StateDirectory = "geth";
          ExecStart = builtins.concatStringsSep " " (
            [
              "${pkgs.lib.getExe config.services.maidenlane.master.package}"
              "--dev"
              "--dev.period=1"
              "--datadir=/var/lib/geth"
            ]
            ++ map pkgs.lib.escapeShellArg config.services.maidenlane.master.arguments
          );
        };
      };
      # The tap and the replica are started by the script, once the log has its topics.
      systemd.targets.maidenlane.wantedBy = pkgs.lib.mkForce [ ];
    };

  testScript = ''
    machine.wait_for_unit("geth.service")
    machine.succeed("maidenlane log init --dir /var/lib/maidenlane/log --chain developer --feed a")
    machine.succeed("bash ${../tests/nix/acceptance.sh}")
  '';
}
