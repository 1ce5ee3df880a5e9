-- Shared by all scripts that work on one channel. They all have the same KEYS in the same order.
local CHANNEL, LOG, AUDIENCE, WORK = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local KEYED, FINISHED, UNFINISHED = KEYS[5], KEYS[6], KEYS[7]
local OPEN, ENDED, REASONS = KEYS[8], KEYS[9], KEYS[10]
local CLIENTS = KEYS[11]

local ID = CHANNEL:sub(-36)
-- With a node's name appended: the key of the set of channels that the node reads, or publishes to.
local AT = CHANNEL:sub(1, -37) .. 'at:'

-- Returns the store's time, in milliseconds.
local function clock()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function integer(number)
    return string.format('%d', number)
end

-- Returns the channel, or nil. `position` is packed as: number and time of the newest message, bytes of the log,
-- subscribers, time of the newest message that was dropped, messages that the log holds.
local function read()
    local found = redis.call('HMGET', CHANNEL, 'position', 'created', 'requested', 'nodes', 'held')
    if not found[1] then return nil end
    local seq, time, bytes, subscribers, dropped, count =
        found[1]:match('^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
    local requested, nodes, held = found[3] or '', found[4] or '', found[5] or ''
    return {
        seq = tonumber(seq),
        time = tonumber(time),
        bytes = tonumber(bytes),
        subscribers = tonumber(subscribers),
        dropped = tonumber(dropped),
        count = tonumber(count),
        created = tonumber(found[2]),
        requested = requested,
        nodes = nodes,
        held = held,
        written = { requested, nodes, held },
    }
end

local function write(channel)
    local position = string.format('%d %d %d %d %d %d', channel.seq, channel.time, channel.bytes, channel.subscribers,
        channel.dropped, channel.count)
    local requested, nodes, held = unpack(channel.written)
    if channel.requested == requested and channel.nodes == nodes and channel.held == held then
        redis.call('HSET', CHANNEL, 'position', position)
    else
        redis.call('HSET', CHANNEL, 'position', position, 'requested', channel.requested, 'nodes', channel.nodes,
            'held', channel.held)
    end
end

-- Returns why there is no such channel: {'ended', reason, when, number and time of the last event}, or {'unknown'}.
local function missing()
    local ended = redis.call('ZSCORE', ENDED, ID)
    if not ended or clock() - ended >= ENDED_AGE then return { 'unknown' } end
    -- The reason, and number and time of the last event.
    local reason, seq, time = (redis.call('HGET', REASONS, ID) or 'idle 0 0'):match('^(%S+) (%d+) (%d+)$')
    return { 'ended', reason, ended, seq, time }
end

-- Lets new keys expire unless sweeps renew them: if all nodes are dead, nobody deletes them.
local function expire(...)
    for _, key in ipairs({ ... }) do redis.call('PEXPIRE', key, EXPIRY, 'NX') end
end

-- Sends a notice to a node.
local function tell(node, notice)
    return redis.call('PUBLISH', PREFIX .. ':to:' .. node, notice)
end

local function tell_nodes(nodes, notice)
    for node in nodes:gmatch('%S+') do tell(node, notice) end
end

-- Returns the audience by node. An entry is packed as: subscribers, publishers that listen, the slowest unread number,
-- when that was reported, when the node was last asked for it.
local function audience()
    local flat, nodes = redis.call('HGETALL', AUDIENCE), {}
    for index = 1, #flat, 2 do
        local subscribers, listeners, slowest, reported, asked =
            flat[index + 1]:match('^(%d+) (%d+) (%d+) (%d+) (%d+)$')
        nodes[flat[index]] = {
            subscribers = tonumber(subscribers),
            listeners = tonumber(listeners),
            slowest = tonumber(slowest),
            reported = tonumber(reported),
            asked = tonumber(asked),
        }
    end
    return nodes
end

local function write_audience(node, part)
    redis.call('HSET', AUDIENCE, node, table.concat({
        integer(part.subscribers), integer(part.listeners), integer(part.slowest),
        integer(part.reported), integer(part.asked),
    }, ' '))
end

-- Notifies the publishers that listen of the number of subscribers and the control requests.
local function tell_listeners(channel, nodes)
    local notice = 'audience ' .. ID .. ' ' .. integer(channel.subscribers) .. ' ' .. channel.requested
    for node, part in pairs(nodes) do
        if part.listeners > 0 then tell(node, notice) end
    end
end

local function count_subscribers(nodes)
    local count = 0
    for _, part in pairs(nodes) do count = count + part.subscribers end
    return count
end

local function count_listeners(nodes)
    local count = 0
    for _, part in pairs(nodes) do count = count + part.listeners end
    return count
end

-- Wakes the publishers that wait for readers.
local function make_room(channel)
    if channel.held == '' then return end
    tell_nodes(channel.held, 'room ' .. ID)
    channel.held = ''
end

-- Returns the number of the oldest message in the log.
local function first_held(channel)
    return channel.seq - channel.count + 1
end

-- Updates the channel after its log was found to be empty: the store may have evicted it.
local function is_empty(channel)
    channel.count, channel.bytes, channel.dropped = 0, 0, channel.time
end

local function drop(channel, count)
    local dropped = redis.call('LPOP', LOG, count)
    if not dropped then return is_empty(channel) end
    local bytes = channel.bytes
    for index = 1, #dropped do bytes = bytes - #dropped[index] end
    channel.bytes = bytes
    channel.dropped = tonumber(dropped[#dropped]:match('^%d+'))
    channel.count = channel.count - #dropped
end

local function push(channel, stamped, first, last)
    local length = redis.call('RPUSH', LOG, unpack(stamped, first, last))
    local count = last - first + 1
    if length == count then redis.call('PEXPIRE', LOG, EXPIRY) end
    if length ~= channel.count + count then is_empty(channel) end
    channel.count = channel.count + count
    local bytes = channel.bytes
    for index = first, last do bytes = bytes + #stamped[index] end
    channel.bytes = bytes
end

-- Appends these messages until one would drop number `low` or a later one; returns how many were appended. Old messages
-- are dropped as the bounds require, before the new one is added. This order lets a full store accept a message that
-- only replaces others: a store refuses no write of a script that has already written.
local function push_one_by_one(channel, stamped, low)
    for index, entry in ipairs(stamped) do
        while channel.count > 0 and (channel.count >= MAX_MESSAGES or channel.bytes + #entry > MAX_BYTES) do
            if low and first_held(channel) >= low then return index - 1 end
            drop(channel, 1)
        end
        push(channel, stamped, index, index)
        channel.seq = channel.seq + 1
    end
    return #stamped
end

-- Does the same if only the number of messages can reach its bound: the result is then known beforehand.
local function push_at_once(channel, stamped, low)
    local count = #stamped
    if low then count = math.max(0, math.min(count, low + MAX_MESSAGES - 1 - channel.seq)) end
    if count == 0 then return 0 end
    local surplus = math.min(channel.count, channel.count + count - MAX_MESSAGES)
    if surplus > 0 then drop(channel, surplus) end
    local first = math.max(1, count - MAX_MESSAGES + 1)
    push(channel, stamped, first, count)
    channel.seq = channel.seq + count
    return count
end

-- Appends as many entries as possible (see above). Returns them, each with the time before it.
local function append(channel, entries, low, now)
    local time = math.max(now, channel.time)
    local stamp, stamped, bytes = integer(time) .. ' ', {}, channel.bytes
    for index = 1, #entries do
        local entry = stamp .. entries[index]
        stamped[index] = entry
        bytes = bytes + #entry
    end
    local count = (bytes > MAX_BYTES and push_one_by_one or push_at_once)(channel, stamped, low)
    for index = #stamped, count + 1, -1 do stamped[index] = nil end
    if count > 0 then channel.time = time end
    -- Some of the new messages were dropped again at once.
    if channel.count < count then channel.dropped = time end
    return stamped
end

-- Returns the notice of messages numbered from `from` on, each preceded by its length. Formatting numbers is slow and
-- many messages have the same length, so the text before a message is formatted once per length.
local function published(channel, from, stamped)
    local parts = { 'published ', ID, ' ', integer(first_held(channel)), ' ', integer(from) }
    local length, heads = #parts, {}
    for index = 1, #stamped do
        local entry = stamped[index]
        local bytes = #entry
        local head = heads[bytes]
        if not head then
            head = '\n' .. integer(bytes) .. ':'
            heads[bytes] = head
        end
        parts[length + 1], parts[length + 2] = head, entry
        length = length + 2
    end
    return table.concat(parts)
end

-- Returns the control requests: a level or '-', and what to cancel: '-', '*' for any operation, or '=' and an
-- operation's name. Packed, they are separated by a space; the packed form is empty if there are none.
local function requested(channel)
    local level, cancel = channel.requested:match('^(%S+) (.*)$')
    return level or '-', cancel or '-'
end

local function request(channel, level, cancel)
    local now = level .. ' ' .. cancel
    if now == '- -' then now = '' end
    local is_news = now ~= channel.requested
    channel.requested = now
    return is_news
end

-- Notes that an operation has ended: a request to cancel it is done, and the end of its control streams is no longer
-- reported. `operation` is '=' and its name, or '' for none.
local function end_operation(channel, operation)
    local level, cancel = requested(channel)
    if cancel == '*' or (cancel == operation and operation ~= '') then
        if request(channel, level, '-') then tell_listeners(channel, audience()) end
    end
    if operation == '' then return end
    local flat = redis.call('HGETALL', WORK)
    for index = 1, #flat, 2 do
        if flat[index + 1] == 'listens ' .. operation then
            redis.call('HSET', WORK, flat[index], 'over ' .. operation)
        end
    end
end

-- Returns the entry of an idempotency key, packed as: accepted messages, number and time of the last, subscribers,
-- tries.
local function receipt(key)
    local found = redis.call('HGET', KEYED, key)
    if not found then return nil end
    local accepted, seq, time, subscribers, tries = found:match('^(%d+) (%d+) (%d+) (%d+) (%d+)$')
    return {
        accepted = tonumber(accepted),
        seq = tonumber(seq),
        time = tonumber(time),
        subscribers = tonumber(subscribers),
        tries = tonumber(tries),
    }
end

-- Stores what was accepted of a request, as the newest entry of `order`: FINISHED or UNFINISHED. `known` is the
-- previous entry. A try that got less far than an earlier one does not change the entry.
local function note(key, known, new, tries, order)
    if known and known.accepted >= new.accepted then new = known end
    redis.call('HSET', KEYED, key, string.format('%d %d %d %d %d', new.accepted, new.seq, new.time, new.subscribers,
        tries or (known and known.tries) or 0))
    if known and redis.call('LREM', order, 1, key) == 0 then
        redis.call('LREM', order == FINISHED and UNFINISHED or FINISHED, 1, key)
    end
    local count = redis.call('RPUSH', order, key)
    if count == 1 then expire(KEYED, order) end
    local max = order == FINISHED and MAX_FINISHED or MAX_UNFINISHED
    if count > max then redis.call('HDEL', KEYED, redis.call('LPOP', order)) end
end

local function was_active(now)
    redis.call('HSET', CHANNEL, 'active', integer(now))
end

-- Sets the number of subscribers; returns whether it has changed. A new subscriber counts as activity, and so does each
-- message while there are subscribers; the time of the newest message is stored when the last subscriber leaves.
local function set_subscribers(channel, count, comes, now)
    local before = channel.subscribers
    channel.subscribers = count
    if comes then
        was_active(now)
    elseif before > 0 and count == 0 then
        was_active(math.max(channel.time, tonumber(redis.call('HGET', CHANNEL, 'active') or '0')))
    end
    return count ~= before
end

local function is_told(channel, node)
    return (channel.nodes .. ' '):find(' ' .. node .. ' ', 1, true) ~= nil
end

-- Adds a node to those that get notices.
local function enter(channel, node)
    redis.call('SADD', AT .. node, ID)
    if not is_told(channel, node) then channel.nodes = channel.nodes .. ' ' .. node end
end

-- Removes a node from those that get notices.
local function stop_telling(channel, node)
    channel.nodes = (channel.nodes .. ' '):gsub(' ' .. node .. ' ', ' ', 1):gsub(' $', '')
end

local function node_of(work)
    return work:match('^(.*):')
end

-- Removes this channel from the node's set of channels, if the node no longer reads or publishes here.
local function forget(node)
    if redis.call('HEXISTS', AUDIENCE, node) == 1 then return end
    for _, work in ipairs(redis.call('HKEYS', WORK)) do
        if node_of(work) == node then return end
    end
    redis.call('SREM', AT .. node, ID)
end

-- Returns the state of an unfinished streaming request, packed as: accepted messages, number and time of the last, the
-- number of the try, the length of '=' and the operation, then that itself, followed by the key.
local function stream_state(state)
    local accepted, seq, time, try, length, names = (state or ''):match('^streams (%d+) (%d+) (%d+) (%d+) (%d+) (.*)$')
    if not accepted then return nil end
    return {
        accepted = tonumber(accepted),
        seq = tonumber(seq),
        time = tonumber(time),
        try = tonumber(try),
        operation = names:sub(1, length),
        key = names:sub(length + 1),
    }
end

local function write_stream_state(work, stream)
    redis.call('HSET', WORK, work, table.concat({
        'streams', integer(stream.accepted), integer(stream.seq), integer(stream.time), integer(stream.try),
        #stream.operation, stream.operation .. stream.key,
    }, ' '))
    expire(WORK)
end

-- Creates the channel. Returns {'ok'}, or {'clients'} if there are too many.
local function create(now)
    if tonumber(redis.call('GET', CLIENTS) or '0') >= MAX_CLIENTS then return { 'clients' } end
    redis.call('INCR', CLIENTS)
    redis.call('ZREM', ENDED, ID)
    redis.call('HDEL', REASONS, ID)
    redis.call('ZADD', OPEN, now, ID)
    local time = integer(now)
    redis.call('HSET', CHANNEL, 'position', '0 ' .. time .. ' 0 0 ' .. time .. ' 0', 'created', time, 'active', time)
    expire(CHANNEL)
    return { 'ok' }
end

-- Ends the channel, and stores when and why.
local function finish(channel, reason, now)
    for _, node in ipairs(redis.call('HKEYS', AUDIENCE)) do redis.call('SREM', AT .. node, ID) end
    for _, work in ipairs(redis.call('HKEYS', WORK)) do redis.call('SREM', AT .. node_of(work), ID) end
    redis.call('DEL', CHANNEL, LOG, AUDIENCE, WORK, KEYED, FINISHED, UNFINISHED)
    redis.call('DECR', CLIENTS)
    redis.call('ZREM', OPEN, ID)
    redis.call('ZADD', ENDED, now, ID)
    local last = integer(channel.seq) .. ' ' .. integer(channel.time)
    redis.call('HSET', REASONS, ID, reason .. ' ' .. last)
    local surplus = redis.call('ZRANGE', ENDED, 0, -1 - MAX_ENDED)
    local old = redis.call('ZRANGEBYSCORE', ENDED, '-inf', now - ENDED_AGE)
    for _, list in ipairs({ surplus, old }) do
        for _, id in ipairs(list) do
            redis.call('ZREM', ENDED, id)
            redis.call('HDEL', REASONS, id)
        end
    end
    tell_nodes(channel.nodes, 'ended ' .. ID .. ' ' .. reason .. ' ' .. last)
    make_room(channel)
end
