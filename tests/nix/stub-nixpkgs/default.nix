# Called like nixpkgs: packages that build with /bin/sh, and names for those that nothing here builds.
{
  system ? builtins.currentSystem,
  overlays ? [ ],
}:
let
  lib = import ./lib.nix;

  # Not built here, only named.
  name =
    pname:
    derivation {
      inherit system;
      name = pname;
      builder = "/bin/sh";
      args = [ "-c" "echo ${pname} is a stub >&2; exit 1" ];
    }
    // {
      inherit pname;
      version = "1.17.5";
      meta.mainProgram = pname;
      overrideAttrs = change: name pname // change (name pname // { meta.mainProgram = pname; });
    };

  base = {
    inherit lib system;

    runCommand =
      pname: attributes: script:
      derivation {
        inherit system;
        name = pname;
        builder = "/bin/sh";
        args = [ "-ec" script ];
        PATH = "/usr/local/bin:/usr/bin:/bin";
      }
      // {
        meta = attributes.meta or { };
      };

    linkFarm =
      pname: entries:
      base.runCommand pname { } ''
        mkdir -p $out
        ${lib.concatMapStringsSep "\n" (entry: ''
          mkdir -p "$out/$(dirname '${entry.name}')"
          ln -s ${entry.path} '$out/${entry.name}'
        '') entries}
      '';

    writeShellApplication = { name, ... }: base.named name;
    named = name;
    rustPlatform.bindgenHook = name "bindgen-hook";
    stdenv.cc = name "cc";
    testers.runNixOSTest = test: base.named "vm-test-${test.name}";
  };

  named = lib.genAttrs [
    "cargo"
    "clang"
    "clippy"
    "cmake"
    "go"
    "go-ethereum"
    "jdk_headless"
    "maven"
    "nixfmt"
    "openssl"
    "pkg-config"
    "rustc"
    "rustfmt"
    "systemd"
  ] name;

  final = builtins.foldl' (previous: overlay: previous // overlay final previous) (base // named) overlays;
in
final
