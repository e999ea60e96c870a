-- SPDX-License-Identifier: GPL-3.0-or-later
-- Whoever tries passwords is slowed down, and nobody else is; and who has just proven a password need not prove it for each page.
--
-- The index says with each answer what it made of credentials, in the header X-Wheelhouse-Credentials: right, wrong, or nothing when it
-- did not look. After ten wrong ones from one address within a minute, requests from there with credentials are answered 429 until the
-- minute is over, without asking the index. Requests without credentials go on, and so do credentials that were right lately: machines
-- that share their address with a guesser notice nothing.

local known = ngx.shared.password_guard

local LIMIT = 10 -- wrong passwords
local WINDOW = 60 -- seconds, from the first of them
local TRUSTED = 600 -- seconds after they were right last, in which credentials are no guess
local BELIEVED = 5 -- seconds after they were right last, in which the index need not be asked whether they still are

local guard = {}

-- What stands for the credentials of a request: a digest with a key that is as old as this nginx. Nothing where it has none.
local function fingerprint(index)
    local var = ngx.var
    local credentials = (var.http_authorization or "") .. "\n" .. (var.http_x_devpi_auth or "")
    if credentials ~= "\n" then
        known:add("key", ngx.worker.pid() .. ngx.now() .. math.random())
        return index .. " " .. ngx.encode_base64(ngx.hmac_sha1(known:get("key"), credentials))
    end
end

-- In the access phase: refuse a guess. `login` says that there are credentials in the body.
function guard.check(index, login)
    local wrong = known:get("wrong " .. ngx.var.binary_remote_addr)
    if not wrong or wrong < LIMIT then
        return
    end
    local who = fingerprint(index)
    if login or who and not known:get("trusted " .. who) then
        ngx.status = 429
        ngx.header["Retry-After"] = WINDOW
        ngx.header["Content-Type"] = "text/plain"
        ngx.say("Too many wrong passwords from this address. Try again in a minute.")
        return ngx.exit(ngx.HTTP_OK)
    end
end

-- In the header filter: hear what the index said of the credentials.
function guard.note(index)
    local said = ngx.var.upstream_http_x_wheelhouse_credentials
    if said == "wrong" then
        known:incr("wrong " .. ngx.var.binary_remote_addr, 1, 0, WINDOW)
    elseif said == "right" then
        local who = fingerprint(index)
        if who then
            known:set("trusted " .. who, true, TRUSTED)
            known:set("believed " .. who, true, BELIEVED)
        end
    end
end

-- Whether the index has just found the credentials of this request right.
function guard.believed(index)
    local who = fingerprint(index)
    return who and known:get("believed " .. who)
end

return guard
