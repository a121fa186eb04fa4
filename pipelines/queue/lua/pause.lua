-- ARGV: 1 to pause, 0 to go on.
if ARGV[1] == '1' then
    call('HSET', META, 'paused', now)
else
    call('HDEL', META, 'paused')
    wake()
end
pass_order()
return 1
