let M = ../package.dhall

let cluster = ../cluster.dhall

in  M.Emitter::{
    , chain = cluster.chain
    , feed = cluster.feed
    -- A provider that knows its clients by a token, and lets each ask so often. The token comes from a file, with
    -- systemctl edit maidenlane-emitter@main in [Service]: LoadCredential=provider:/etc/maidenlane/provider.token
    -- Where the provider wants its key at the end of the address, M.Credential.Path puts it there.
    , upstreams =
      [ M.Upstream::{
        , name = "provider"
        , address = "https://rpc.example.org"
        , credential = Some (M.Credential.Bearer "{credential:provider}")
        , perSecond = Some 10
        , lanes = 4
        }
      ]
    , stateDir = "/var/lib/maidenlane/emitter-main"
    }
