{
  description = "Maidenlane: one executing Ethereum node feeds any number of replicas";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    crane.url = "github:ipetkov/crane";
  };

  # Everything is in ./nix; its README says what is where.
  outputs = inputs: import ./nix inputs;
}
