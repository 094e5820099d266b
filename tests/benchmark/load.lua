-- The requests of wrk. Arguments: a method, a body or "-", "keyed" or "-", a name for the run, a file of tokens.
local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(arguments)
    method, body, keyed, run = arguments[1], arguments[2], arguments[3] == "keyed", arguments[4]
    if body == "-" then body = nil end
    tokens, turn = {}, 0
    if arguments[5] then
        for token in io.lines(arguments[5]) do tokens[#tokens + 1] = token end
    end
end

function request()
    turn = turn + 1
    local headers = {}
    if body then headers["Content-Type"] = "application/json" end
    if #tokens > 0 then headers["Authorization"] = "Bearer " .. tokens[(turn * 2 + number) % #tokens + 1] end
    if keyed then headers["Idempotency-Key"] = run .. "-" .. number .. "-" .. turn end
    return wrk.format(method, nil, headers, body)
end

function done(summary, latency, _)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "seconds": %f, "refused": %d, "broken": %d, "p50_ms": %f, "p99_ms": %f}\n',
        summary.requests, summary.duration / 1e6, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
