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

-- Both counts that a page goes by, in 27 characters. The last part of its name is its project, in any spelling (PEP 503).
local function state(index, name)
    local project = name:match("[^/ ]+$"):gsub("[-_.]+", "-"):lower()
    return ("%.0f %.0f"):format(count(index), count(index .. " " .. project))
end

-- A kept page is one value, so that no request sees half of another's: the state it goes by (27 characters), when it was asked for (14),
-- ETag (36), Content-Type, a line break, the body.
local STATE, ASKED, ETAG = 27, 41, 77 -- where each of them ends

local function kept(key, wanted)
    local value = pages:get(key)
    if value and value:sub(1, STATE) == wanted then
        return value
    end
end

local function accepts_gzip()
    local accepted = ngx.var.http_accept_encoding
    return accepted and ngx.re.find(accepted, [[\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))]], "jo") ~= nil
end

local function serve(value, gzip, vary)
    local line = value:find("\n", ETAG + 1, true)
    local header = ngx.header
    header["ETag"] = value:sub(ASKED + 1, ETAG)
    header["Content-Type"] = value:sub(ETAG + 1, line - 1)
    local body
    if gzip then
        header["Content-Encoding"] = "gzip"
        header["Vary"] = vary == "" and "Accept-Encoding" or vary .. ", Accept-Encoding"
        body = gzip:sub(ETAG + 1)
    else
        header["Vary"] = vary -- gzip_vary adds the rest
        body = value:sub(line + 1)
    end
    header["Content-Length"] = #body
    ngx.print(body)
    return ngx.exit(ngx.HTTP_OK)
end

-- The page as the client takes it, if it is kept with this state and not older than that.
local function find(key, wanted, max_age, vary)
    local value = kept(key, wanted)
    if not value or ngx.now() - tonumber(value:sub(STATE + 1, ASKED)) >= max_age then
        return
    end
    local gzip = accepts_gzip() and kept(key .. " gzip", wanted)
    if gzip and gzip:sub(1, ETAG) ~= value:sub(1, ETAG) then
        gzip = nil -- of another moment
    end
    ngx.ctx.page = nil
    return serve(value, gzip, vary)
end

-- In the access phase: answer from memory, or let the request go on to the index. Of those that want the same page at the same time one
-- goes on and the others wait for what it brings.
--   index    whose page it is
--   name     what the page is, with all that makes a difference to it, its project last; empty for what is not kept
--   max_age  seconds after which the index is asked again, though nothing was written
--   vary     headers of a request that make a difference, as in the header Vary
--   private  whether the index has to know who asks
function cache.answer(index, name, max_age, vary, private)
    local method = ngx.req.get_method()
    if name == "" or method ~= "GET" and method ~= "HEAD" then
        return
    end
    local key, wanted, asked = index .. " " .. name, state(index, name), ngx.now()
    if not private or guard.believed(index) then
        find(key, wanted, max_age, vary)
        local lock = key .. " lock " .. wanted
        if method == "GET" and not pages:add(lock, true, LOCK) then
            -- Another one brings it. What turns out not to be kept frees the lock as well; then everybody goes by himself.
            local wait = 0.001
            repeat
                ngx.sleep(wait)
                wait = math.min(wait * 2, 0.01)
            until not pages:get(lock) or ngx.now() > asked + PATIENCE
            find(key, wanted, max_age, vary)
        elseif method == "GET" then
            ngx.var.page_lock = lock
        end
    end
    ngx.ctx.page = {key = key, state = wanted, asked = asked, vary = vary}
end

-- In the header filter of everything that the index answers: note a write, or begin to keep a page.
function cache.note(index)
    local method = ngx.req.get_method()
    if method ~= "GET" and method ~= "HEAD" then
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
        header["Vary"] = page.vary
        header["Content-Type"] = header["Content-Type"] or "application/octet-stream" -- devpi has none for metadata
        if method == "GET" then
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
        local head = page.state .. ("%014.3f"):format(page.asked) .. 'W/"' .. ngx.md5(body) .. '"'
        pages:set(page.key .. " gzip", head .. zlib.deflate(6, 31)(body, "finish"))
        pages:set(page.key, head .. page.type .. "\n" .. body)
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
function cache.stand_in(index, name, vary, private)
    cache.done()
    if name ~= "" and (not private or guard.believed(index)) then
        find(index .. " " .. name, state(index, name), math.huge, vary)
    end
    return ngx.exit(ngx.var.upstream_status == "504" and 504 or 502)
end

return cache
