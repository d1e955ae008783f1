-- SPDX-License-Identifier: Apache-2.0
-- For wrk: GET of a path, each time with another of the cookies in a file.
-- wrk ... -s cookies.lua URL -- FILE COOKIE PATH

local requests, at = {}, 1

function init(args)
    for id in io.lines(args[1]) do
        requests[#requests + 1] = wrk.format("GET", args[3], { ["Cookie"] = args[2] .. "=" .. id })
    end
end

function request()
    at = (at * 16807) % 2147483647
    return requests[at % #requests + 1]
end
