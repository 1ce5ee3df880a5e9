-- Adds a node to those that get notices, and returns the first part of the log; `read_log.lua` returns the others. A
-- message that is published meanwhile comes as a notice.
-- ARGV: node, its subscribers, its publishers that listen, 'make' to create a missing channel, the ID of the first
-- message that is wanted (if the log does not hold it, all are; if empty, none), 'resumes' if the reader has a cursor.
local node, subscribers, listeners = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local make, from, resumes = ARGV[4] == 'make', ARGV[5], ARGV[6] == 'resumes'

local now = clock()
local channel, past = read(), { '', '' }
if not channel then
    local why = missing()
    if not make or (resumes and why[1] == 'ended') then return why end
    if why[1] == 'ended' then past = { why[2], why[3] } end
    local made = create(now)
    if made[1] ~= 'ok' then return made end
    channel = read()
end
if redis.call('LLEN', LOG) ~= channel.count then is_empty(channel) end

local nodes = audience()
local first = first_held(channel)
local part = nodes[node] or { subscribers = 0, listeners = 0, asked = 0 }
local comes, listens = subscribers > part.subscribers, listeners > part.listeners
-- The positions of the node's readers are unknown until it reports them.
if part.subscribers == 0 then part.slowest = first end
part.subscribers, part.listeners, part.reported = subscribers, listeners, math.max(now, part.asked)
nodes[node] = part
local count = count_subscribers(nodes)
if comes and count > MAX_SUBSCRIBERS then return { 'subscribers' } end
if listens and count_listeners(nodes) > MAX_LISTENERS then return { 'listeners' } end
write_audience(node, part)
expire(AUDIENCE)
enter(channel, node)
if set_subscribers(channel, count, comes, now) then tell_listeners(channel, nodes) end
write(channel)

local skipped = 0
if from == '' then
    skipped = channel.count
else
    local seq, time = from:match('^(%d+)-(%d+)$')
    local index = tonumber(seq) - first
    if index >= 0 and index < channel.count and redis.call('LINDEX', LOG, index):match('^%d+') == time then
        skipped = index
    end
end
local answer = {
    'ok', integer(channel.created), past[1], past[2], integer(channel.subscribers), channel.requested,
    redis.call('HGET', CHANNEL, 'lost') or '0', integer(channel.seq), integer(first),
}
return add_log(answer, channel, skipped)
