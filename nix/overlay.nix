# pkgs.maidenlane is everything in one package; pkgs.maidenlanePackages has the parts.
{ crane, daemons }:
final: _prev: {
  maidenlanePackages = import ./packages.nix {
    pkgs = final;
    craneLib = crane.mkLib final;
    inherit daemons;
  };
  maidenlane = final.maidenlanePackages.all;
}
