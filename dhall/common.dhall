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
, Kafka = { Type = ./types/Kafka.dhall, default = {=} }
, Admin =
  { Type = ./types/Admin.dhall
  , default.behindProxy = False
  }
, Logging =
  { Type = ./types/Logging.dhall
  , default = { filter = "info", json = False }
  }
}
