-- The requests that wrk sends. Arguments: a method, bodies or "-", "keyed" or "-", a name for the run, a file of tokens or
-- "-", the number of the first token, how many requests are sent with a token before the next one takes its turn, and the
-- number of threads. Bodies, one a line, take turns too.
local started = 0

function setup(thread)
    thread:set("number", started)
    started = started + 1
end

function init(arguments)
    method, keyed, run = arguments[1], arguments[3] == "keyed", arguments[4]
    first, streak, threads = tonumber(arguments[6]), tonumber(arguments[7]), tonumber(arguments[8])
    bodies, tokens, turn = {}, {}, 0
    if arguments[2] ~= "-" then
        for body in string.gmatch(arguments[2], "[^\n]+") do bodies[#bodies + 1] = body end
    end
    if arguments[5] ~= "-" then
        for token in io.lines(arguments[5]) do tokens[#tokens + 1] = token end
    end
end

function request()
    turn = turn + 1
    local headers = {}
    local body = bodies[turn % math.max(#bodies, 1) + 1]
    if body then headers["Content-Type"] = "application/json" end
    if #tokens > 0 then
        local place = first + math.floor((turn * threads + number) / streak)
        headers["Authorization"] = "Bearer " .. tokens[place % #tokens + 1]
    end
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
