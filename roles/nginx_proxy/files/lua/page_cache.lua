-- SPDX-License-Identifier: GPL-3.0-or-later
-- Pages of an index, and the metadata of its wheels, kept in nginx's memory and never served older than an acknowledged write.
--
-- How it is never stale. Writes that were answered are counted: for each project those that the index says touched it alone, in the
-- header X-Wheelhouse-Project, and for each index all others. A page is kept with both counts of the moment its request came, which is
-- before the index was asked for it; it is served while both are the same. A write raises a count before its answer goes out. So whoever
-- asks after an answer was sent has the new count, and a page that was made before, or meanwhile, does not have it. Nothing is removed, so
-- there is nothing to miss.
--
-- What does not pass this nginx raises no count. It is seen when a page is `max_age` seconds old, since it is asked for again then.
--
-- Everything is in memory that nginx's workers share. It survives a reload, counts and pages together, and a restart loses both.

local guard = require "password_guard"
local zlib = require "zlib"

local pages = ngx.shared.page_cache
local counts = ngx.shared.page_cache_counts

local LARGEST = 4 * 1024 * 1024 -- bytes of a page; one that is larger is handed through
local PATIENCE = 5 -- seconds that a request waits for another that is bringing the same page
local LOCK = 60 -- seconds after which one that brings a page is taken for dead; it takes its lock away by itself

local cache = {}

-- The answered writes of an index, or of "<index> <project>". It begins with the time in milliseconds, so that a count which was lost
-- never comes again: nobody writes a thousand times a second.
local function count(of)
    local now = counts:get(of)
    if not now then
        local begin = math.floor(ngx.now() * 1000)
        counts:add(of, begin)
        now = counts:get(of) or begin
    end
    return now
end

-- Both counts that a page goes by, in 27 characters. The first word of its name is its project, in any spelling (PEP 503).
local function state(index, name)
    local project = name:sub(1, (name:find(" ", 1, true) or 0) - 1):lower()
    if project:find("_", 1, true) or project:find(".", 1, true) then
        project = project:gsub("[-_.]+", "-")
    end
    return ("%d %d"):format(count(index), count(index .. " " .. project))
end

-- A kept page is one value, so that no request sees half of another's: the state it goes by (27 characters), when it was asked for (14),
-- ETag (36), Content-Type, a line break, the body. Compressed it is another such value.
local STATE, ASKED, ETAG = 27, 41, 77 -- where each of them ends

local function kept(key, wanted, max_age)
    local value = pages:get(key)
    if value and value:sub(1, STATE) == wanted and ngx.now() - tonumber(value:sub(STATE + 1, ASKED)) < max_age then
        return value
    end
end

local function accepts_gzip()
    local accepted = ngx.var.http_accept_encoding
    return accepted and ngx.re.find(accepted, [[\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))]], "jo") ~= nil
end

-- Send the page as the client takes it, if it is kept with this state and not older than that, and say whether it was.
local function serve(key, wanted, max_age)
    local gzip = accepts_gzip() and kept(key .. " packed", wanted, max_age)
    local value = gzip or kept(key, wanted, max_age)
    if not value then
        return false
    end
    local line = value:find("\n", ETAG + 1, true)
    local body = value:sub(line + 1)
    local header = ngx.header
    header["ETag"] = value:sub(ASKED + 1, ETAG)
    header["Content-Type"] = value:sub(ETAG + 1, line - 1)
    header["Content-Length"] = #body
    if gzip then
        header["Content-Encoding"] = "gzip"
    end
    ngx.print(body)
    return true
end

local function reads()
    local method = ngx.req.get_method()
    return method == "GET" or method == "HEAD"
end

-- What is said of a page from here on:
--   index    whose page it is
--   page     the nginx variable that says what it is, with all that makes a difference to it, its project first; empty for what is not kept
--   max_age  seconds after which the index is asked again, though nothing was written
--   private  whether the index has to know who asks

local function answered(index, page, max_age, private)
    local name = ngx.var[page]
    return name ~= "" and reads() and (not private or guard.believed(index)) and serve(index .. " " .. name, state(index, name), max_age)
end

-- The content: from memory, or from `elsewhere`, the location where the index is asked. LuaJIT compiles all of this but ngx.print, and a hit
-- costs half as much for it. Therefore the variable is read in here, not by who calls, and strings are formatted and searched as they are.
function cache.answer(index, page, max_age, elsewhere, private)
    if not answered(index, page, max_age, private) then
        return ngx.exec(elsewhere)
    end
end

-- In the access phase of that location: let the request go on to the index. Of those that want the same page at the same time one goes on and
-- the others wait for what it brings.
function cache.fetch(index, page, max_age, private)
    local name = ngx.var[page]
    if name == "" or not reads() then
        return
    end
    local key, wanted, asked = index .. " " .. name, state(index, name), ngx.now()
    if ngx.req.get_method() == "GET" and (not private or guard.believed(index)) then
        local lock = key .. " lock " .. wanted
        if pages:add(lock, true, LOCK) then
            ngx.var.page_lock = lock
        else
            -- Another one brings it. What turns out not to be kept frees the lock as well; then everybody goes by himself.
            local wait = 0.001
            repeat
                ngx.sleep(wait)
                wait = math.min(wait * 2, 0.01)
            until not pages:get(lock) or ngx.now() > asked + PATIENCE
        end
        -- One that has the lock looks too: the page may have come just before.
        if serve(key, wanted, max_age) then
            return ngx.exit(ngx.HTTP_OK)
        end
    end
    ngx.ctx.page = {key = key, state = wanted, asked = asked}
end

-- In the header filter of everything that the index answers: note a write, or begin to keep a page.
function cache.note(index)
    if not reads() then
        -- A refusal (4xx) changed nothing, nor did what never reached the index. Of everything else, failures too, nobody knows, unless the
        -- index says so.
        local status, project = ngx.status, ngx.var.upstream_http_x_wheelhouse_project
        if project or (status < 400 or status >= 499) and ngx.var.upstream_connect_time ~= "-" then
            local touched = project and index .. " " .. project or index
            count(touched)
            counts:incr(touched, 1)
        end
        return
    end
    local page = ngx.ctx.page
    if page and ngx.status == 200 and ngx.var.upstream_status == "200" and not ngx.header["Content-Encoding"] then
        local header = ngx.header
        header["Content-Type"] = header["Content-Type"] or "application/octet-stream" -- devpi has none for metadata
        if ngx.req.get_method() == "GET" then
            page.type, page.parts, page.size = header["Content-Type"], {}, 0
        end
    end
end

-- In the body filter: collect what passes, and keep it when its end has come. What breaks off has no end.
function cache.keep()
    local page = ngx.ctx.page
    local parts = page and page.parts
    if not parts then
        return
    end
    local part, last = ngx.arg[1], ngx.arg[2]
    page.size = page.size + #part
    if page.size > LARGEST then
        page.parts = nil
        return
    end
    parts[#parts + 1] = part
    if last then
        page.parts = nil
        local body = table.concat(parts)
        local head = page.state .. ("%014.3f"):format(page.asked) .. 'W/"' .. ngx.md5(body) .. '"' .. page.type .. "\n"
        pages:set(page.key .. " packed", head .. zlib.deflate(6, 31)(body, "finish"))
        pages:set(page.key, head .. body)
    end
end

-- In the log phase, which a request comes to however it ends: whoever waits for a page that did not come need not wait longer.
function cache.done()
    local lock = ngx.var.page_lock
    if lock ~= "" then
        pages:delete(lock)
    end
end

-- The content where the index cannot be reached: the page if there is one that no write has outdated, however old.
function cache.stand_in(index, page, private)
    cache.done()
    if not answered(index, page, math.huge, private) then
        return ngx.exit(ngx.var.upstream_status == "504" and 504 or 502)
    end
end

return cache
