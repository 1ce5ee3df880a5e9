-- Publishes messages, at once or as part of a streaming request.
-- ARGV: deadline, 'flow' to stop before a reader would lose messages, node, work (of a streaming request, or ''), done
-- (how many of its messages the caller knows to be accepted), key (or ''), 'whole' if this is all of the request, '='
-- and the newest operation that the messages name (or ''), the number of messages; then each one's entry; then for each
-- that has an outcome, its position, and '=' and its operation, or ''.
local deadline, flow, node, work = tonumber(ARGV[1]), ARGV[2] == 'flow', ARGV[3], ARGV[4]
local done, key, whole, operation = tonumber(ARGV[5]), ARGV[6], ARGV[7] == 'whole', ARGV[8]
local ENTRIES, count = 9, tonumber(ARGV[9])

local channel = read()
if not channel then return missing() end
local now = clock()
if now > deadline then return { 'late' } end

-- What was accepted already: an answer may have been lost, or an earlier try got further.
local stream = work ~= '' and stream_state(redis.call('HGET', WORK, work))
local known = stream
if key ~= '' then known = receipt(key) end

if known and work == '' then
    return {
        'ok', integer(known.seq), integer(known.time), integer(known.accepted), integer(known.subscribers),
        channel.requested, '',
    }
end

-- The slowest unread number of the readers that are waited for. A node reports on request; one that has not for long is
-- not waited for until it does.
local nodes, low = nil, nil
if flow then
    nodes = audience()
    for _, part in pairs(nodes) do
        -- If a node without subscribers owes an answer, they are on their way to another one.
        local owes_answer = part.asked > part.reported
        local is_overdue = owes_answer and now - part.asked > STALL
        if (part.subscribers > 0 or owes_answer) and not is_overdue then
            low = math.min(low or part.slowest, part.slowest)
        end
    end
end

local skipped = known and math.max(0, math.min(known.accepted - done, count)) or 0
local from, entries = channel.seq + 1, {}
local arguments = ARGV
for index = skipped + 1, count do entries[index - skipped] = arguments[ENTRIES + index] end
local stamped = append(channel, entries, low, now)
for index = ENTRIES + count + 1, #ARGV, 2 do
    local place = tonumber(ARGV[index]) - skipped
    if place > 0 and place <= #stamped then end_operation(channel, ARGV[index + 1]) end
end
local accepted, held, seq, time = done + skipped + #stamped, #stamped < #entries, 0, 0
if #stamped > 0 then
    seq, time = channel.seq, channel.time
    if channel.nodes ~= '' then tell_nodes(channel.nodes, published(channel, from, stamped)) end
elseif skipped > 0 then
    seq, time = known.seq, known.time
end
if held then
    for name, part in pairs(nodes) do
        if part.subscribers > 0 and part.slowest == low and part.asked <= part.reported then
            -- A question is later than the report before it, even within the same millisecond.
            part.asked = math.max(now, part.reported + 1)
            write_audience(name, part)
            tell(name, 'report ' .. ID)
        end
    end
    if not (channel.held .. ' '):find(' ' .. node .. ' ', 1, true) then
        channel.held = channel.held .. ' ' .. node
    end
end
write(channel)
if key ~= '' then
    local new = { accepted = accepted, seq = seq, time = time, subscribers = channel.subscribers }
    note(key, known, new, nil, whole and FINISHED or UNFINISHED)
end
if stream then
    if operation ~= '' then stream.operation = operation end
    if seq > 0 then stream.accepted, stream.seq, stream.time = accepted, seq, time end
    write_stream_state(work, stream)
end
return {
    'ok', integer(seq), integer(time), integer(accepted), integer(channel.subscribers), channel.requested,
    held and 'held' or '',
}
