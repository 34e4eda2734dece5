# The packages: dependencies are built once, daemons on top of them.
{
  pkgs,
  craneLib,
  daemons,
}:
let
  inherit (pkgs) lib;
  inherit (lib) fileset;

  # Besides the crates, what they include: units, settings, golden bytes and the hook.
  source = fileset.toSource {
    root = ../.;
    fileset = fileset.unions [
      ../.cargo
      ../.clippy.toml
      ../.rustfmt.toml
      ../Cargo.lock
      ../Cargo.toml
      ../daemons
      ../dhall
      ../systemd
      ../tests
    ];
  };

  common = {
    src = source;
    pname = "maidenlane";
    version = (lib.importTOML ../Cargo.toml).workspace.package.version;
    strictDeps = true;
    nativeBuildInputs = [
      pkgs.cmake
      # Keccak's assembly is made by it.
      pkgs.perl
      pkgs.pkg-config
      # RocksDB's bindings are made from its headers.
      pkgs.rustPlatform.bindgenHook
    ];
    # TLS and SASL of librdkafka.
    buildInputs = [ pkgs.openssl ];
    # cmake is for librdkafka's build script, not for us.
    dontUseCmakeConfigure = true;
    cargoExtraArgs = "--locked --workspace --exclude maidenlane-tests";
    # The suite needs a network of its own, real brokers and a real geth: `cargo suite`.
    doCheck = false;
  };

  # Crane empties every crate of the tree before it builds the dependencies, and this one is such a dependency.
  cargoArtifacts = craneLib.buildDepsOnly (
    common
    // {
      extraDummyScript = ''
        rm -rf $out/.cargo/patched
        mkdir -p $out/.cargo
        cp -r ${../.cargo/patched} $out/.cargo/patched
      '';
    }
  );

  meta = {
    license = [
      lib.licenses.mit
      lib.licenses.asl20
    ];
    platforms = lib.platforms.linux;
  };

  crate =
    name: description:
    craneLib.buildPackage (
      common
      // {
        inherit cargoArtifacts;
        pname = name;
        cargoExtraArgs = "--locked --package ${name}";
        meta = meta // {
          inherit description;
          mainProgram = if name == "maidenlane-cli" then "maidenlane" else name;
        };
      }
    );

  parts = lib.mapAttrs (name: daemon: crate "maidenlane-${name}" daemon.description) daemons // {
    cli = crate "maidenlane-cli" "looks after Maidenlane's daemons and their data";
  };
in
parts
// {
  inherit
    source
    common
    cargoArtifacts
    craneLib
    ;

  # Programs, units and settings types, laid out by the installer that every system has.
  all = pkgs.runCommand "maidenlane-${common.version}" {
    meta = meta // {
      description = "one executing Ethereum node feeds any number of replicas";
      mainProgram = "maidenlane";
    };
  } ''
    mkdir -p gathered
    cp ${lib.concatMapStringsSep " " (part: "${part}/bin/*") (lib.attrValues parts)} gathered/
    gathered/maidenlane install --prefix $out
  '';

  geth = import ./geth.nix { inherit pkgs; };

  demo = pkgs.writeShellApplication {
    name = "maidenlane-demo";
    runtimeInputs = [
      pkgs.cargo
      pkgs.rustc
      pkgs.stdenv.cc
      pkgs.cmake
      pkgs.perl
      pkgs.pkg-config
      pkgs.clang
      pkgs.openssl
    ];
    # In the working copy that it is called from.
    text = ''
      MAIDENLANE_GETH=${lib.getExe (import ./geth.nix { inherit pkgs; })} exec cargo demo "$@"
    '';
  };

  shell = craneLib.devShell {
    inputsFrom = [ cargoArtifacts ];
    packages = [
      pkgs.clippy
      pkgs.go
      pkgs.jdk_headless
      pkgs.maven
      pkgs.nixfmt
      pkgs.rustfmt
    ];
  };
}
