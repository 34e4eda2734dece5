-- Where the types are; the only line that differs between ways to install.
../../package.dhall
