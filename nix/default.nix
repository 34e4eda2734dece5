# The flake's outputs, put together.
inputs@{ self, nixpkgs, crane, ... }:
let
  inherit (nixpkgs) lib;
  systems = [
    "x86_64-linux"
    "aarch64-linux"
  ];
  daemons = import ./daemons.nix;
  overlay = import ./overlay.nix { inherit crane daemons; };
  forEach =
    outputs:
    lib.genAttrs systems (
      system:
      outputs (import nixpkgs {
        inherit system;
        overlays = [ overlay ];
      })
    );
  modules = import ./modules { inherit lib daemons overlay; };
in
{
  overlays.default = overlay;

  nixosModules = modules;

  packages = forEach (
    pkgs:
    lib.mapAttrs' (name: _: lib.nameValuePair "maidenlane-${name}" pkgs.maidenlanePackages.${name}) daemons
    // {
      inherit (pkgs) maidenlane;
      default = pkgs.maidenlane;
      maidenlane-cli = pkgs.maidenlanePackages.cli;
      geth = pkgs.maidenlanePackages.geth;
    }
  );

  checks = forEach (pkgs: import ./checks.nix { inherit self pkgs modules; });

  apps = forEach (pkgs: {
    demo = {
      type = "app";
      program = lib.getExe pkgs.maidenlanePackages.demo;
      meta.description = "a geth developer chain, tap, feed and replica, with real transactions";
    };
  });

  devShells = forEach (pkgs: {
    default = pkgs.maidenlanePackages.shell;
  });

  formatter = forEach (pkgs: pkgs.nixfmt);

  # For those who build their settings without the modules: see ./settings.nix.
  lib.settings = import ./settings.nix;
}
