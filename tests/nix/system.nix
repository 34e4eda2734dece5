# A machine by the modules: the files that NixOS would put into /etc, units laid out as it lays them out.
{
  settings,
  configuration ? { },
}:
let
  nixpkgs = ./stub-nixpkgs;
  lib = import ./stub-nixpkgs/lib.nix;
  daemons = import ../../nix/daemons.nix;
  overlay = import ../../nix/overlay.nix {
    crane.mkLib = import ./stub-crane/lib.nix;
    inherit daemons;
  };
  pkgs = import nixpkgs { overlays = [ overlay ]; };
  modules = import ../../nix/modules { inherit lib daemons overlay; };

  system = lib.evalModules {
    arguments = { inherit pkgs; };
    modules = [
      modules.default
      {
        services.maidenlane = {
          settings = settings;
          tap.main = { };
          replica.main = { };
        };
      }
      configuration
    ];
  };

  broken = lib.filter (one: !one.assertion) (system.assertions or [ ]);

  section = name: fields: "[${name}]\n${lib.concatStringsSep "\n" fields}\n";
  dropIn =
    service:
    section "Unit" (map (trigger: "X-Reload-Triggers=${trigger}") (service.reloadTriggers or [ ]))
    + section "Service" (map (value: "LoadCredential=${value}") (service.serviceConfig.LoadCredential or [ ]));

  file = target: source: ''
    mkdir -p "$out/$(dirname '${target}')"
    cp ${source} "$out/${target}"
  '';
in
assert lib.assertMsg (broken == [ ]) (lib.concatMapStringsSep "\n" (one: one.message) broken);
pkgs.runCommand "etc" { } (
  ''
    mkdir -p $out/systemd/system
    ${lib.concatMapStringsSep "\n" (package: "cp -r ${package}/lib/systemd/system/. $out/systemd/system/; chmod -R u+w $out") system.systemd.packages}
    ${lib.concatMapStringsSep "\n" (package: "mkdir -p $out/tmpfiles.d; cp ${package}/lib/tmpfiles.d/* $out/tmpfiles.d/") system.systemd.tmpfiles.packages}
    mkdir -p $out/sysusers.d
    ${lib.concatMapStringsSep "\n" (group: "echo 'g ${group} -' >> $out/sysusers.d/maidenlane.conf") (lib.attrNames system.users.groups)}
    ${lib.concatMapStringsSep "\n" (package: "mkdir -p $out/bin; ln -sf ${package}/bin/* $out/bin/") system.environment.systemPackages}
  ''
  + lib.concatStringsSep "\n" (lib.mapAttrsToList (name: etc: file name etc.source) system.environment.etc)
  + lib.concatStringsSep "\n" (
    lib.mapAttrsToList (name: service: ''
      ${lib.concatMapStringsSep "\n" (target: ''
        mkdir -p $out/systemd/system/${target}.wants
        ln -s ../${builtins.head (builtins.split "@" name)}@.service $out/systemd/system/${target}.wants/${name}.service
      '') (service.wantedBy or [ ])}
      mkdir -p $out/systemd/system/${name}.service.d
      cat > $out/systemd/system/${name}.service.d/overrides.conf <<'UNIT'
      ${dropIn service}
      UNIT
    '') system.systemd.services
  )
  + lib.concatStringsSep "\n" (
    lib.mapAttrsToList (
      name: timer:
      lib.concatMapStringsSep "\n" (target: ''
        mkdir -p $out/systemd/system/${target}.wants
        ln -s ../${builtins.head (builtins.split "@" name)}@.timer $out/systemd/system/${target}.wants/${name}.timer
      '') timer.wantedBy
    ) (system.systemd.timers or { })
  )
  + lib.concatStringsSep "\n" (
    lib.mapAttrsToList (
      name: target:
      lib.concatMapStringsSep "\n" (wanting: ''
        mkdir -p $out/systemd/system/${wanting}.wants
        ln -s ../${name}.target $out/systemd/system/${wanting}.wants/${name}.target
      '') target.wantedBy
    ) system.systemd.targets
  )
)
