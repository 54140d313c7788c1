-- Copyright The mesh-apiserver Authors.
-- SPDX-License-Identifier: Apache-2.0

-- This script makes a request of the kubelet to the port of probes into what the
-- kubelet would have sent to the application, and its answer into what the kubelet
-- would have made of the application's. What it knows of a probe is in the filter
-- context of its route (bootstrap_probes.go). It follows redirects as Go's net/http
-- does by the kubelet's rules: to the pod's own address alone, on any port.

local max_requests, max_agent, max_body = 10, 32, 10240
local redirects = { ["301"] = true, ["302"] = true, ["303"] = true, ["307"] = true, ["308"] = true }
local default_port = { http = 80, https = 443 }
-- Without the mesh nothing listens on the proxy's ports.
local mesh_ports = { [15001] = true, [15006] = true, [15020] = true, [15021] = true, [15090] = true }
-- How redirects are followed, by the probe's scheme and that of the redirect. Without
-- TLS the kubelet speaks HTTP/2 by prior knowledge alone.
local follows = {
  HTTP = { http = "probe/HTTP", https = "probe/HTTPS" },
  HTTPS = { http = "probe/HTTP", https = "probe/HTTPS" },
  H2C = { http = "probe/H2C" },
}
-- The headers that a redirect takes away which may change the method.
local of_body = { "content-encoding", "content-language", "content-location", "content-type" }
local key = "mesh.probe"

-- The address that was called, without brackets: that of the pod.
local function address(handle)
  local ip = handle:streamInfo():downstreamLocalAddress():match("^(.*):%d+$")
  return (ip:gsub("^%[(.*)%]$", "%1"))
end

-- The filter context as a table, which unlike the wrapper outlives a call.
local function context(handle)
  local probe = {}
  for name, value in pairs(handle:filterContext()) do
    probe[name] = value
  end
  return probe
end

local function join(ip, port)
  if ip:find(":", 1, true) then
    ip = "[" .. ip .. "]"
  end
  return ip .. ":" .. port
end

-- net/url.EscapedPath of a path as it was written, or, with "?" for more,
-- EscapedFragment of a fragment; nil if it is none.
local function escaped(text, more)
  if text:gsub("%%%x%x", ""):find("%", 1, true) then
    return nil
  end
  if not text:find("[^%w%-%._~!%$&'%(%)%*%+,;=:@/%%%[%]" .. more .. "]") then
    return text
  end
  text = text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  local safe = more == "" and "" or more .. "!%(%)%*"
  return (text:gsub("[^%w%-%._~%$&%+,/:;=@" .. safe .. "]", function(c) return string.format("%%%02X", c:byte()) end))
end

-- What net/url.Parse makes of a Location; nil if it refuses it.
local function parse(text)
  local url = {}
  local fragment = text:match("#(.+)$")
  if fragment then
    url.fragment = escaped(fragment, "%?")
    if not url.fragment then
      return nil
    end
  end
  text = text:gsub("#.*$", "")
  if text:find("[%z\1-\31\127]") or text:find("^:") then
    return nil
  end
  local scheme, rest = text:match("^(%a[%w%+%-%.]*):(.*)$")
  if scheme then
    url.scheme, text = scheme:lower(), rest
  end
  local before, query = text:match("^([^?]*)%?(.*)$")
  if before then
    text, url.query = before, query
  end
  if text:sub(1, 1) ~= "/" then
    if scheme then
      url.opaque = true
      return url
    end
    if text:match("^[^/]*"):find(":", 1, true) then
      return nil
    end
  end
  if text:sub(1, 2) == "//" and (scheme or text:sub(1, 3) ~= "///") then
    local authority
    authority, text = text:match("^//([^/]*)(.*)$")
    if authority == "" then
      url.path = escaped(text, "")
      return url.path and url
    end
    url.user = authority:match("^(.*)@[^@]*$")
    url.authority = authority:gsub("^.*@", "")
    url.host, url.port = url.authority:match("^%[([%x:%.]+)%]:?(%d*)$")
    if not url.host then
      url.host, url.port = url.authority:match("^([^:%[%]%s<>\"]*):?(%d*)$")
    end
    if not url.host or (url.user or ""):find("[^%w%-%._:~!%$&'%(%)%*%+,;=%%@]") then
      return nil
    end
  end
  url.path = escaped(text, "")
  return url.path and url
end

-- net/url.resolvePath.
local function resolve_path(base, ref)
  local full = ref
  if ref == "" then
    full = base
  elseif ref:sub(1, 1) ~= "/" then
    full = base:match("^(.*/)[^/]*$") .. ref
  end
  if full == "" then
    return "/"
  end
  local kept, last = {}, nil
  for element in (full .. "/"):gmatch("([^/]*)/") do
    last = element
    if element == ".." then
      table.remove(kept)
      if kept[1] == "" and #kept == 1 then
        kept[1] = nil
      end
    elseif element ~= "." then
      kept[#kept + 1] = element
    elseif #kept == 0 then
      kept[1] = ""
    end
  end
  local path = table.concat(kept, "/")
  if last == "." or last == ".." then
    path = path .. "/"
  end
  return path:sub(1, 1) == "/" and path or "/" .. path
end

-- net/url.ResolveReference, for a Location that parse took.
local function resolve(base, to)
  to.absolute = to.scheme ~= nil
  to.scheme = to.scheme or base.scheme
  if to.opaque then
    to.host = ""
  elseif to.host then
    to.path = resolve_path(to.path, "")
  elseif to.absolute then
    to.host = ""
  else
    if to.path == "" and to.query == nil then
      to.query = base.query
      to.fragment = to.fragment or base.fragment
    end
    to.host, to.port, to.authority, to.user = base.host, base.port, base.authority, base.user
    to.path = resolve_path(base.path, to.path)
  end
  return to
end

local function target(url)
  return url.query and url.path .. "?" .. url.query or url.path
end

-- The port of a URL; nil if the kubelet would reach nothing there.
local function port_of(url)
  local port = tonumber(url.port ~= "" and url.port or default_port[url.scheme])
  if port and port >= 1 and port <= 65535 and not mesh_ports[port] then
    return port
  end
end

local function first(value)
  return type(value) == "table" and value[1] or value
end

-- The headers of a probe; agent is the kubelet's own name.
local function headers_of(probe, agent)
  local headers = {}
  for _, header in ipairs(probe.headers) do
    local had = headers[header.name] or {}
    had[#had + 1] = header.value
    headers[header.name] = had
  end
  if not probe.own_agent then
    headers["user-agent"] = { agent }
  end
  return headers
end

local function serves(headers, body)
  return headers[":status"] == "200" and (headers["grpc-status"] or "0") == "0"
    and (headers["content-type"] or ""):find("^application/grpc") ~= nil
    and body ~= nil and body:find("^%z....\8\1") ~= nil
end

-- A length as protobuf writes it.
local function varint(n)
  if n < 128 then
    return string.char(n)
  end
  return string.char(n % 128 + 128) .. varint(math.floor(n / 128))
end

-- Asks by the gRPC health checking protocol.
local function check(handle, probe, agent)
  local service = probe.path:sub(2)
  local message = service == "" and "" or "\10" .. varint(#service) .. service
  local at = join(address(handle), probe.port)
  local headers, body = handle:httpCall("probe/" .. probe.scheme, {
    [":method"] = "POST", [":path"] = "/grpc.health.v1.Health/Check", [":authority"] = at,
    ["content-type"] = "application/grpc", ["te"] = "trailers", ["user-agent"] = agent,
    ["grpc-timeout"] = probe.timeout .. "m", ["x-envoy-original-dst-host"] = at,
  }, string.char(0, 0, math.floor(#message / 65536) % 256, math.floor(#message / 256) % 256, #message % 256) .. message,
    { timeout_ms = probe.timeout, send_xff = false })
  if serves(headers, body) then
    handle:respond({ [":status"] = "200" }, "service healthy")
  end
  handle:respond({ [":status"] = "503" }, "service unhealthy, or no answer of the gRPC health checking protocol")
end

function envoy_on_request(handle)
  local probe = context(handle)
  if not probe.scheme then
    return
  end
  if handle:body() then
    handle:respond({ [":status"] = "400" }, "a probe has no body")
  end
  local agent = handle:headers():get("user-agent") or ""
  if #agent > max_agent or not agent:find("^kube%-probe/%d+%.%d+%+?$") then
    agent = "kube-probe"
  end
  if probe.scheme == "GRPC" or probe.scheme == "GRPCS" then
    check(handle, probe, agent)
  end
  local names = {}
  for name in pairs(handle:headers()) do
    names[#names + 1] = name
  end
  for _, name in ipairs(names) do
    if name:sub(1, 1) ~= ":" then
      handle:headers():remove(name)
    end
  end
  local at = join(address(handle), probe.port)
  handle:headers():replace(":authority", probe.host or at)
  handle:headers():replace(":path", probe.path)
  for name, values in pairs(headers_of(probe, agent)) do
    for _, value in ipairs(values) do
      handle:headers():add(name, value)
    end
  end
  handle:streamInfo():dynamicMetadata():set(key, "agent", agent)
  -- Last: without it Envoy connects to nothing.
  handle:headers():replace("x-envoy-original-dst-host", at)
end

-- Sends the next request of a chain of redirects.
local function follow(handle, probe, url, port, host, referer, bodiless)
  local headers = headers_of(probe, handle:streamInfo():dynamicMetadata():get(key).agent)
  for _, name in ipairs(bodiless and of_body or {}) do
    headers[name] = nil
  end
  headers[":method"], headers[":path"] = "GET", target(url)
  headers[":authority"] = host or url.authority
  headers[":scheme"] = url.scheme
  headers["x-envoy-original-dst-host"] = join(address(handle), port)
  if referer and not headers["referer"] then
    headers["referer"] = referer
  end
  if url.user and not headers["authorization"] then
    local user = url.user:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
    headers["authorization"] = "Basic " .. handle:base64Escape(user:find(":", 1, true) and user or user .. ":")
  end
  return handle:httpCall(follows[probe.scheme][url.scheme], headers, nil,
    { timeout_ms = probe.timeout, send_xff = false, return_duplicate_headers = true })
end

local function answer(handle, status, location, body)
  local headers = handle:headers()
  headers:replace(":status", status)
  headers:remove("location")
  if location then
    headers:add("location", location)
  end
  local length = handle:body(true):setBytes((body or ""):sub(1, max_body))
  headers:replace("content-length", tostring(length))
end

function envoy_on_response(handle)
  local probe = context(handle)
  if not follows[probe.scheme] then
    return
  end
  local ip = address(handle)
  local host = probe.host
  local path, query = probe.path:match("^([^?]*)%??(.*)$")
  local url = { scheme = probe.scheme == "HTTPS" and "https" or "http", host = ip, port = tostring(probe.port), path = path }
  url.authority = join(ip, url.port)
  if probe.path:find("?", 1, true) then
    url.query = query
  end
  local status, location, body = handle:headers():get(":status"), handle:headers():getAtIndex("location", 0), nil
  local requests, bodiless = 1, false
  while redirects[status] and location and location ~= "" do
    local to = parse(location)
    if not to or resolve(url, to).host ~= ip then
      break
    end
    if requests == max_requests then
      return answer(handle, "508", nil, "stopped after 10 redirects")
    end
    local port = port_of(to)
    if not port or not follows[probe.scheme][to.scheme] then
      return answer(handle, "502", nil, "a redirect leads to what the kubelet does not reach: " .. location)
    end
    if to.absolute then
      host = nil
    end
    local referer
    if url.scheme ~= "https" or to.scheme == "https" then
      referer = url.scheme .. "://" .. url.authority .. target(url) .. (url.fragment and "#" .. url.fragment or "")
    end
    url, bodiless = to, bodiless or status < "307"
    local headers
    headers, body = follow(handle, probe, url, port, host, referer, bodiless)
    status, location = first(headers[":status"]), first(headers["location"])
    requests = requests + 1
  end
  if requests > 1 then
    answer(handle, status, location, body)
  end
end
