# One instance's settings, checked and made self-contained while the system is built: a broken edit fails the build and never
# a service, and nothing is evaluated on the machine.
{
  pkgs,
  package,
  # A directory like /etc/maidenlane: cluster.dhall and <daemon>/<instance>.dhall. Its package.dhall is replaced.
  directory,
  daemon,
  instance,
}:
pkgs.runCommand "maidenlane-${daemon}-${instance}.dhall" { } ''
  # Where the evaluator may keep a cache.
  export HOME=$PWD
  cp -r ${directory} settings
  chmod -R u+w settings
  echo '${package}/share/maidenlane/dhall/package.dhall' > settings/package.dhall
  if ! test -f settings/${daemon}/${instance}.dhall; then
    echo '${directory} has no ${daemon}/${instance}.dhall, the settings of services.maidenlane.${daemon}.${instance}' >&2
    exit 1
  fi
  ${package}/bin/maidenlane config normalize ${daemon} settings/${daemon}/${instance}.dhall > $out
''
