-- What wrk does for benchmarks/turn.py: each thread talks in a conversation of its own and never says the same text twice.
-- Arguments: a file with the token, conversations and texts; how many threads talk; how many texts were said before.

local count = 0

function setup(thread)
  thread:set("number", count)
  count = count + 1
end

function init(arguments)
  local lines = {}
  for line in io.lines(arguments[1]) do lines[#lines + 1] = line end
  local conversations = tonumber(lines[2])
  path = "/v1/conversations/" .. lines[3 + number % conversations] .. "/messages"
  headers = { ["Authorization"] = "Bearer " .. lines[1], ["Content-Type"] = "application/json" }
  first, step = 3 + conversations, tonumber(arguments[2])
  texts, total = lines, #lines - conversations - 2
  said = tonumber(arguments[3]) + number
end

function request()
  local round, place = math.floor(said / total), said % total
  local text = texts[first + place]
  if round > 0 then text = text .. " " .. round end
  said = said + step
  return wrk.format("POST", path, headers, '{"text": "' .. text .. '"}')
end

function done(summary, latency, requests)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  io.write(string.format('\n{"requests": %d, "failed": %d, "seconds": %.6f, "p50": %.4f, "p99": %.4f}\n',
    summary.requests, failed, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
