# The functions of nixpkgs' lib that Maidenlane uses, with the meaning they have there.
let
  lib = rec {
    inherit (builtins)
      all
      attrNames
      attrValues
      concatLists
      concatStringsSep
      filter
      mapAttrs
      ;

    genAttrs =
      names: value:
      builtins.listToAttrs (
        map (name: {
          inherit name;
          value = value name;
        }) names
      );
    nameValuePair = name: value: { inherit name value; };
    mapAttrs' = f: set: builtins.listToAttrs (map (name: f name set.${name}) (attrNames set));
    mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
    filterAttrs =
      keep: set:
      builtins.listToAttrs (
        map (name: nameValuePair name set.${name}) (filter (name: keep name set.${name}) (attrNames set))
      );
    optionalAttrs = condition: set: if condition then set else { };
    concatMapStringsSep =
      separator: f: list:
      concatStringsSep separator (map f list);
    hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;
    versionAtLeast = version: least: builtins.compareVersions version least >= 0;
    assertMsg = condition: message: if condition then true else throw message;
    importTOML = path: builtins.fromTOML (builtins.readFile path);
    escapeShellArg = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString text)}'";
    getExe = package: "${package}/bin/${package.meta.mainProgram}";
    licenses = genAttrs [ "mit" "asl20" ] (name: name);
    platforms.linux = [
      "x86_64-linux"
      "aarch64-linux"
    ];
    fileset = {
      unions = paths: paths;
      # Every path must be there, as in the real one.
      toSource =
        { root, fileset }:
        if all builtins.pathExists fileset then root else throw "a path of the source is not there";
    };

    # Options and modules, in ./modules.nix.
    inherit (import ./modules.nix lib)
      evalModules
      literalExpression
      mkEnableOption
      mkForce
      mkIf
      mkOption
      mkPackageOption
      types
      ;
  };
in
lib
