# A small evaluator of modules: imports, options with defaults and types, conditional configuration, and what NixOS itself
# declares taken as it comes.
lib:
let
  isType = type: value: builtins.isAttrs value && (value._type or null) == type;

  type = name: check: { inherit name check; };

  types = {
    bool = type "bool" builtins.isBool;
    str = type "str" builtins.isString;
    package = type "package" (value: builtins.isAttrs value && value ? outPath);
    path = type "path" (value: builtins.isPath value || (builtins.isAttrs value && value ? outPath) || lib.hasPrefix "/" value);
    listOf = inner: type "listOf ${inner.name}" (value: builtins.isList value && builtins.all inner.check value);
    attrsOf =
      inner:
      type "attrsOf ${inner.name}" builtins.isAttrs
      // {
        apply = at: builtins.mapAttrs (name: value: applied (at ++ [ name ]) inner value);
      };
    submodule =
      module:
      type "submodule" builtins.isAttrs
      // {
        apply = at: value: declared at module.options value;
      };
  };

  place = builtins.concatStringsSep ".";

  # A value of a type, or an error that names the option.
  applied =
    at: ty: value:
    if !(ty.check value) then
      throw "A definition for option `${place at}' is not of type `${ty.name}'."
    else if ty ? apply then
      ty.apply at value
    else
      value;

  # The options of a module with their values or defaults; what no option declares is an error.
  declared =
    at: options: given:
    let
      unknown = builtins.filter (name: !(options ? ${name})) (builtins.attrNames given);
      value =
        name: option:
        let
          here = at ++ [ name ];
        in
        if !(isType "option" option) then
          declared here option (given.${name} or { })
        else if given ? ${name} then
          if option.readOnly or false then
            throw "The option `${place here}' is read-only."
          else
            applied here option.type given.${name}
        else if option ? default then
          applied here option.type option.default
        else
          throw "The option `${place here}' is used but not defined.";
    in
    if unknown != [ ] then
      throw "The option `${place (at ++ [ (builtins.head unknown) ])}' does not exist."
    else
      builtins.mapAttrs value options;

  # Definitions of several modules for one place.
  merge =
    old: new:
    if isType "if" old then
      if old.condition then merge old.content new else new
    else if isType "if" new then
      if new.condition then merge old new.content else old
    else if builtins.isAttrs old && builtins.isAttrs new && !(old ? outPath) then
      builtins.mapAttrs (name: value: if old ? ${name} && new ? ${name} then merge old.${name} new.${name} else value) (
        old // new
      )
    else if builtins.isList old && builtins.isList new then
      old ++ new
    else
      new;

  # Conditions pushed down to the leaves: which names there are does not depend on them, as in the real one.
  pushed =
    value:
    if isType "if" value then
      if builtins.isAttrs value.content && !(value.content ? outPath) && !(value.content ? _type) then
        builtins.mapAttrs (_: content: pushed (value // { inherit content; })) value.content
      else
        value
    else if builtins.isAttrs value && !(value ? outPath) && !(value ? _type) then
      builtins.mapAttrs (_: pushed) value
    else
      value;

  # Without what its condition excludes.
  discharged =
    value:
    if isType "if" value then
      discharged value.content
    else if isType "force" value then
      value.content
    else if builtins.isList value then
      builtins.concatMap (inner: if isType "if" inner && !inner.condition then [ ] else [ (discharged inner) ]) value
    else if builtins.isAttrs value && !(value ? outPath) then
      lib.mapAttrs (_: discharged) (lib.filterAttrs (_: inner: !(isType "if" inner && !inner.condition)) value)
    else
      value;

  evalModules =
    { modules, arguments }:
    let
      load =
        module:
        let
          loaded = if builtins.isPath module then import module else module;
          called =
            if builtins.isFunction loaded then
              loaded (arguments // { inherit lib; config = result; })
            else
              loaded;
          key = if builtins.isPath module then toString module else called.key or null;
        in
        [ { inherit key called; } ] ++ builtins.concatMap load (called.imports or [ ]);

      all = builtins.concatMap load modules;
      once = builtins.foldl' (
        seen: one: if one.key != null && builtins.any (other: other.key == one.key) seen then seen else seen ++ [ one ]
      ) [ ] all;

      options = builtins.foldl' merge { } (map (one: one.called.options or { }) once);
      content =
        called: called.config or (builtins.removeAttrs called [ "imports" "options" "key" ]);
      given = builtins.foldl' merge { } (map (one: pushed (content one.called)) once);
      result = builtins.mapAttrs (_: discharged) (builtins.removeAttrs given [ "services" ]) // {
        services = declared [ "services" ] options.services (given.services or { });
      };
    in
    result;
in
{
  inherit evalModules types;
  mkOption = option: option // { _type = "option"; };
  mkEnableOption =
    what:
    {
      _type = "option";
      type = types.bool;
      default = false;
      description = "Whether to enable ${what}.";
    };
  mkPackageOption =
    pkgs: name: _:
    {
      _type = "option";
      type = types.package;
      default = pkgs.${name};
    };
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkForce = content: {
    _type = "force";
    inherit content;
  };
  literalExpression = text: text;
}
