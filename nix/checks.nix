# What `nix flake check` runs. The whole suite is `cargo suite`, which needs loopback, brokers and a real geth.
{
  self,
  pkgs,
  modules,
}:
let
  inherit (pkgs) lib;
  inherit (pkgs.maidenlanePackages) cargoArtifacts common craneLib;
  with-dependencies = common // {
    inherit cargoArtifacts;
  };
  deployments = {
    one-machine = [
      "tap/main"
      "replica/main"
      "emitter/main"
    ];
    existing-node = [
      "tap/main"
      "replica/main"
      "emitter/main"
    ];
    read-only = [
      "tap/main"
      "replica/main"
    ];
    public-rpc = [
      "tap/main"
      "replica/main"
      "emitter/main"
    ];
    cluster = [
      "tap/a"
      "replica/1"
      "replica/2"
      "replica/3"
      "emitter/1"
      "emitter/2"
    ];
  };
  settings =
    deployment: path:
    import ./settings.nix {
      inherit pkgs;
      package = pkgs.maidenlane;
      directory = ../dhall/deploy + "/${deployment}";
      daemon = builtins.dirOf path;
      instance = builtins.baseNameOf path;
    };
in
{
  inherit (pkgs) maidenlane;
  inherit (pkgs.maidenlanePackages) geth;

  format = craneLib.cargoFmt { inherit (common) src pname version; };

  clippy = craneLib.cargoClippy (
    with-dependencies // { cargoClippyExtraArgs = "--all-targets -- --deny warnings"; }
  );

  docs = craneLib.cargoDoc (with-dependencies // { env.RUSTDOCFLAGS = "--deny warnings"; });

  settings = pkgs.linkFarm "maidenlane-deployments" (
    lib.concatLists (
      lib.mapAttrsToList (
        deployment:
        map (path: {
          name = "${deployment}/${path}.dhall";
          path = settings deployment path;
        })
      ) deployments
    )
  );

  units = pkgs.runCommand "maidenlane-units" { nativeBuildInputs = [ pkgs.systemd ]; } ''
    for unit in ${pkgs.maidenlane}/lib/systemd/system/*.service; do
      said=$(systemd-analyze verify --man=no "$unit" 2>&1) || true
      test -z "$said" || { echo "$said" >&2; exit 1; }
      systemd-analyze security --offline=yes --threshold=12 "$unit"
    done
    touch $out
  '';

  vm = import ./vm.nix { inherit pkgs modules; };
}
