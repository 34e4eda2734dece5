-- Shared by all daemons.
{ Chain =
  { Type = ./types/Chain.dhall
  , default.genesis = None Text
  }
, Feed =
  { Type = ./types/Feed.dhall
  , default.prefix = "maidenlane"
  }
, Log = ./types/Log.dhall
, Segment =
  { Type = ./types/Segment.dhall
  , default = {=}
  }
, Kafka =
  { Type = ./types/Kafka.dhall
  , default = { tls = None ./types/KafkaTls.dhall, sasl = None ./types/Sasl.dhall }
  }
, KafkaTls =
  { Type = ./types/KafkaTls.dhall
  , default = { ca = None Text, certificate = None Text, key = None Text }
  }
, Sasl =
  { Type = ./types/Sasl.dhall
  , default.mechanism = (./types/Mechanism.dhall).ScramSha512
  }
, Mechanism = ./types/Mechanism.dhall
, Admin =
  { Type = ./types/Admin.dhall
  , default.behindProxy = False
  }
, Listener =
  { Type = ./types/Listener.dhall
  , default =
    { name = "rpc"
    , listen = "127.0.0.1:8545"
    , socketMode = "0600"
    , behindProxy = False
    , http = True
    , webSocket = True
    , namespaces = [ "eth", "net", "web3", "txpool", "ethercattle", "maidenlane" ]
    , origins = [] : List Text
    , hosts = [ "localhost" ]
    , tls = None ./types/Tls.dhall
    , access = [] : List ./types/Identity.dhall
    }
  }
, Tls = { Type = ./types/Tls.dhall, default = {=} }
, Identity =
  { Type = ./types/Identity.dhall
  , default = { seesAll = False, tag = None Text, requests_MB_per_min = None Natural }
  }
, Proof = ./types/Proof.dhall
, Logging =
  { Type = ./types/Logging.dhall
  , default = { filter = "info", json = False }
  }
}
