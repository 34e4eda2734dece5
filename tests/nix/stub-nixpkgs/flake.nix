{
  description = "As much of nixpkgs as Maidenlane's flake touches, to evaluate it where there is no nixpkgs";

  outputs = { self }: {
    lib = import ./lib.nix;
  };
}
