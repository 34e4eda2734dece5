{
  description = "As much of crane as Maidenlane's flake touches";

  outputs = { self }: {
    mkLib = import ./lib.nix;
  };
}
