#!/usr/bin/env ruby
# Sidekiq: 10 threads, as its own load test has it. A job that a killed worker held is lost.
require 'json'
require 'sidekiq'
require 'sidekiq/cli'
require 'sidekiq/launcher'

MODE, SOCKET, *REST = ARGV
if MODE == 'version'
  puts "Sidekiq #{Sidekiq::VERSION}, Ruby #{RUBY_VERSION}"
  exit
end
SET = {'jobs' => 1000, 'rate' => 50}.merge(REST.to_h { |word| word.split('=') }.transform_values(&:to_i))
Sidekiq.logger.level = Logger::FATAL
Redis.silence_deprecations = true  # one line of it for each job would be measured too
Redis.sadd_returns_boolean = false
Sidekiq.redis = {url: "unix://#{SOCKET}", size: 20}

def now_ms = Process.clock_gettime(Process::CLOCK_MONOTONIC, :float_millisecond)

def payload
  head = now_ms.round(3).to_s
  {'at' => head, 'data' => 'x' * (200 - 19 - head.size)}
end

def say(result)
  puts JSON.generate(result)
  $stdout.flush
end

LOCK = Mutex.new
WAITS = []
$done = 0

class Bench
  include Sidekiq::Worker
  def perform(payload)
    start = now_ms
    LOCK.synchronize do
      WAITS << start - payload['at'].to_f
      $done += 1
      say_holding if MODE == 'hold' && $done == SET['jobs']
      finish if MODE != 'hold' && $done == SET['jobs']
    end
    sleep if MODE == 'hold'
  end

  def say_holding
    puts "holding #{$done}"
    $stdout.flush
  end

  def finish
    waits = WAITS.drop(WAITS.size / 10).sort
    at = ->(share) { waits[(share * (waits.size - 1)).to_i].round(3) }
    say(per_s: $done / ((now_ms - $began) / 1000), p50_ms: at[0.5], p99_ms: at[0.99])
    exit!(0)
  end
end

$began = now_ms
case MODE
when 'fill'
  left = SET['jobs']
  while left > 0
    n = [left, 1000].min
    Sidekiq::Client.push_bulk('class' => Bench, 'args' => Array.new(n) { [payload] })
    left -= n
  end
  say(per_s: SET['jobs'] / ((now_ms - $began) / 1000))
when 'produce'
  SET['jobs'].times do |i|
    wait = $began + i * 1000.0 / SET['rate'] - now_ms
    sleep(wait / 1000) if wait > 0
    Bench.perform_async(payload)
  end
else
  Sidekiq.options.merge!(concurrency: 10, queues: ['default'], tag: 'bench')
  launcher = Sidekiq::Launcher.new(Sidekiq.options)
  launcher.run
  puts 'ready' if MODE == 'consume'
  $stdout.flush
  sleep
end
