{ name : Text
, redundancy : Optional Natural
, senders : List Text
, tags : List Text
, upstreams : List Text
}
