# geth with the hook: one file more in the package that nixpkgs has.
{ pkgs }:
let
  inherit (pkgs) lib;
  # As `maidenlane geth build --help` says, and the suite tries.
  oldest = "1.17.0";
  plain = pkgs.go-ethereum;
in
assert lib.assertMsg (lib.versionAtLeast plain.version oldest) ''
  The hook needs go-ethereum ${oldest} or newer, and nixpkgs has ${plain.version}: take a newer nixpkgs.
'';
plain.overrideAttrs (old: {
  pname = "geth-maidenlane";
  postPatch = (old.postPatch or "") + ''
    cp ${../daemons/tap/geth/hook.go} eth/tracers/live/maidenlane.go
  '';
  subPackages = [ "cmd/geth" ];
  outputs = [ "out" ];
  postInstall = "";
  meta = old.meta // {
    mainProgram = "geth";
  };
})
