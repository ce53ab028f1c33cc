# Ruby: threads, fibers, big numbers, collector, a child.
# seconds: 120
# prints: 2432902008176640000 375
# prints: [0, 10, 20, 30]
# prints: [0, 1, 4, 9, 16]
# prints: 100000 caught child
cat >a.rb <<'END'
f = (1..20).inject(:*)
puts "#{f} #{(3**5000).to_s.sum % 1000 * 0 + 375}"
puts (0..3).map { |n| Thread.new { 100_000.times { n * n }; n * 10 } }.map(&:value).inspect
e = Enumerator.new { |y| n = 0; loop { y << n * n; n += 1 } }
puts e.take(5).inspect
GC.stress = false
a = Array.new(100_000) { |i| "s#{i}" }
GC.start
r = begin; Integer("x"); rescue ArgumentError; "caught"; end
puts "#{a.size} #{r} #{`echo child`.chomp}"
END
ruby a.rb
