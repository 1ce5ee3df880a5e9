-- Stores a watcher's control request. ARGV: the level, '-' for none, or 'keep'; what to cancel, '-' for nothing, or
-- 'keep'.
local channel = read()
if not channel then return missing() end
local level, cancel = requested(channel)
if ARGV[1] ~= 'keep' then level = ARGV[1] end
if ARGV[2] ~= 'keep' then cancel = ARGV[2] end
if request(channel, level, cancel) then
    tell_listeners(channel, audience())
    write(channel)
end
return { 'ok', integer(channel.subscribers), channel.requested }
