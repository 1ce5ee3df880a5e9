-- Adds to an answer the ID right before the message at this index of the log, and then the messages from there on that
-- fit into one answer.
local function add_log(answer, channel, index)
    local seq, time = first_held(channel) + index - 1, channel.dropped
    if index > 0 then time = redis.call('LINDEX', LOG, index - 1):match('^%d+') end
    answer[#answer + 1], answer[#answer + 2] = integer(seq), integer(time)
    local bytes = 0
    while index < channel.count and bytes < MAX_ANSWER do
        local entries = redis.call('LRANGE', LOG, index, index + 99)
        for _, entry in ipairs(entries) do
            answer[#answer + 1] = entry
            bytes = bytes + #entry
        end
        index = index + #entries
    end
    return answer
end

