# Instead of building crates, takes programs that cargo has built already: the directory is named by MAIDENLANE_BIN. What was
# taken is told apart by MAIDENLANE_SALT, as two versions of a package would be.
pkgs:
let
  built = builtins.getEnv "MAIDENLANE_BIN";
  program = pname: if pname == "maidenlane-cli" then "maidenlane" else pname;
  # Else Nix would take what it took from there before.
  content = pname: if built == "" then "" else builtins.hashFile "sha256" "${built}/${program pname}";
in
{
  buildDepsOnly = { pname, version, ... }: pkgs.named "${pname}-deps-${version}";
  buildPackage =
    { pname, version, ... }@arguments:
    pkgs.runCommand "${pname}-${version}" { inherit (arguments) meta; } ''
      : ${content pname} ${builtins.getEnv "MAIDENLANE_SALT"}
      mkdir -p $out/bin
      cp ${built}/${program pname} $out/bin/
    '';
  cargoFmt = { pname, ... }: pkgs.named "${pname}-format";
  cargoClippy = { pname, ... }: pkgs.named "${pname}-clippy";
  cargoDoc = { pname, ... }: pkgs.named "${pname}-docs";
  devShell = _: pkgs.named "shell";
}
