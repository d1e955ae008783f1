#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# MnetBackend: methods that a local application answers, in PHP, Python and node, as XML-RPC and as
# JSON; what becomes of a bad answer, of a call sent twice, of an application that is down.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Encode qw(encode_utf8);
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);
use Mnet::Backend;
use Mnet::Harness;
use Mnet::Joined;

binmode $_, ':utf8' for Test::More->builder->output, Test::More->builder->failure_output, Test::More->builder->todo_output;
my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
my $missing = Mnet::PhpPeer->missing;
plan skip_all => $missing if $missing;

# --- the applications ----------------------------------------------------------------------------

my %app = map { Mnet::Backend->missing($_) ? () : ($_ => Mnet::Backend->start($_, unix => $_ ne 'php')) } qw(php python node);
$app{tcp} = Mnet::Backend->start('node') if $app{node};

# One that behaves as its path says.
my $rude = Mnet::Backend->rude(sub {
    my ($socket, $head, $body) = @_;
    my ($what) = $head =~ m{^POST /([\w-]+)} or return 0;
    my $good = Mnet::Backend::response('<string>good</string>');
    my %say = (
        good => sub { print {$socket} Mnet::Backend::answer($good); 1 },
        500 => sub { print {$socket} Mnet::Backend::answer('oh dear', status => '500 Internal Server Error'); 1 },
        503 => sub { print {$socket} Mnet::Backend::answer('later', status => '503 Service Unavailable'); 1 },
        404 => sub { print {$socket} Mnet::Backend::answer('where?', status => '404 Not Found'); 1 },
        302 => sub { print {$socket} Mnet::Backend::answer('', status => '302 Found', headers => "Location: /good\r\n"); 1 },
        empty => sub { print {$socket} Mnet::Backend::answer(''); 1 },
        html => sub { print {$socket} Mnet::Backend::answer('<br /><b>Warning</b>: secret at line 7', type => 'text/html'); 1 },
        call => sub { print {$socket} Mnet::Backend::answer('<methodCall><methodName>a/b</methodName></methodCall>'); 1 },
        bomb => sub { print {$socket} Mnet::Backend::answer('<!DOCTYPE x [<!ENTITY a "b">]>' . $good); 1 },
        half => sub { print {$socket} Mnet::Backend::answer(substr($good, 0, 60), length => length $good); 0 },
        cut => sub { print {$socket} Mnet::Backend::answer(substr($good, 0, 60)); 1 },
        dies => sub { 0 },
        rubbish => sub { print {$socket} "\x00\xff\xfe nonsense\n" x 50; 0 },
        hang => sub { sleep 8; 0 },
        slow => sub { sleep 1; print {$socket} Mnet::Backend::answer($good); 1 },
        drip => sub { print {$socket} "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"; for (1 .. 200) { print {$socket} 'x' or last; sleep 0.05 } 0 },
        large => sub { print {$socket} Mnet::Backend::answer('x', length => 10_000_000_000); 0 },
        endless => sub { print {$socket} "HTTP/1.1 200 OK\r\n\r\n" . substr $good, 0, 80; 1 while print {$socket} ' ' x 1_000_000; 0 },
        headers => sub { print {$socket} "HTTP/1.1 200 OK\r\n"; for (1 .. 200_000) { print {$socket} "X-$_: " . 'y' x 1000 . "\r\n" or last } 0 },
        keychange => sub { print {$socket} Mnet::Backend::answer('<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>7025</int></value></member><member><name>faultString</name><value>-----BEGIN CERTIFICATE-----</value></member></struct></value></fault></methodResponse>'); 1 },
        # The second request on a connection is never answered.
        once => sub { print {$socket} Mnet::Backend::answer($good) if !$main::asked++; $main::asked == 1 },
        notjson => sub { print {$socket} Mnet::Backend::answer('{"result": 1', type => 'application/json'); 1 },
        nothing => sub { print {$socket} Mnet::Backend::answer('{"jsonrpc": "2.0"}', type => 'application/json'); 1 },
        nobase => sub { print {$socket} Mnet::Backend::answer('{"result": {"$base64": "?"}}', type => 'application/json'); 1 },
        bare => sub { print {$socket} Mnet::Backend::answer('{"error": {"code": "12", "message": "told"}}', type => 'application/json'); 1 },
        words => sub { print {$socket} Mnet::Backend::answer('{"error": "it failed"}', type => 'application/json'); 1 },
    );
    $say{body} = sub { print {$socket} Mnet::Backend::answer(Mnet::Backend::response('<int>' . length($body) . '</int>')); 1 };
    return $say{$what} ? $say{$what}->() : 0;
});
my $down = 'http://127.0.0.1:' . Mnet::PhpPeer::free_port();

sub rude { return $rude->url("/$_[0]") }

my @xml = qw(500 503 404 302 empty html call bomb half cut dies rubbish headers keychange good slow body);
my @json = qw(notjson nothing nobase bare words);
my $config = "MnetTimeout 5s\nMnetMaxBody 20m\nMnetFailureLimit 0\n";
$config .= "MnetBackend local/php/api.php/* @{[$app{php}->url]} service=app\n" if $app{php};
$config .= "MnetBackend local/python/api.py/* @{[$app{python}->url]} service=app\n" if $app{python};
$config .= "MnetBackend local/node/api.js/* @{[$app{node}->url]} service=app format=json\n"
    . "MnetBackend local/tcp/api.js/* @{[$app{tcp}->url]} service=app format=json readonly\n" if $app{node};
$config .= join '', map { "MnetBackend local/rude/api.php/$_ @{[rude($_)]} service=app\n" } @xml;
$config .= join '', map { "MnetBackend local/rude/api.php/$_ @{[rude($_)]} service=app format=json\n" } @json;
$config .= "MnetBackend local/rude/api.php/$_ @{[rude($_)]} service=app timeout=1s\n" for qw(hang drip);
$config .= "MnetBackend local/rude/api.php/$_ @{[rude($_)]} service=app timeout=4s\n" for qw(large endless);
$config .= <<"CONF";
MnetBackend local/two/api.php/down $down/x @{[rude('good')]} service=app
MnetBackend local/two/api.php/dies @{[rude('dies')]} @{[rude('good')]} service=app
MnetBackend local/two/api.php/dies_reads @{[rude('dies')]} @{[rude('good')]} service=app readonly
MnetBackend local/two/api.php/busy @{[rude('503')]} @{[rude('good')]} service=app
MnetBackend local/two/api.php/busy_reads @{[rude('503')]} @{[rude('good')]} service=app readonly
MnetBackend local/two/api.php/down_down $down/x $down/y service=app
MnetBackend local/down/api.php/x $down/z service=app
MnetBackend local/secret/api.php/x @{[rude('good')]}
MnetBackend local/told/api.php/x @{[rude('good')]} service=app "signature=boolean(string username, int course, string role?)" "help=Tells é."
MnetBackend local/rude/* @{[rude('good')]} service=app
CONF

my $t = Mnet::Joined->start(config => encode_utf8($config), echo => 1, peers => {
    moodle => { style => 'moodle', section => { MnetPublish => 'app test' } } });
my $site = $t->site;
my $peer = $t->peer('moodle');

# --- every type, there and back ------------------------------------------------------------------

my @values = ('é 漢 😀', 'Ã©', '', "two\nlines", 0, -7, 2147483647, 1.5, $yes, $no, [], [1, [2, []]], { 'é' => 'x', n => [1] });
my @big = ('5000000000', '9007199254740993', '-9223372036854775807');
my %names = (php => 'local/php/api.php', python => 'local/python/api.py', node => 'local/node/api.js', tcp => 'local/tcp/api.js');
for my $kind (qw(php python node tcp)) {
    SKIP: {
        skip Mnet::Backend->missing($kind eq 'tcp' ? 'node' : $kind), 1 if !$app{$kind};
        my $path = $names{$kind};
        subtest $kind => sub {
            for my $value (@values) {
                # PHP's extension writes what could be either.
                next if $kind eq 'php' && !ref $value && $value eq 'Ã©';
                my $got = $peer->call($site, "$path/first", [$value]);
                is_deeply($got->{result}, $value, 'value ' . JSON::PP->new->allow_nonref->encode($value)) or diag explain $got;
            }
            is_deeply($peer->call($site, "$path/echo", \@values)->{result}[-1], $values[-1], 'all at once');
            for my $big (@big) {
                is($peer->call($site, "$path/first", [0 + $big])->{result}, $big, "$big keeps its digits");
            }
            my $long = 'é漢' x 200_000;
            ok($peer->call($site, "$path/first", [$long])->{result} eq $long, 'a text of a megabyte');
            my $who = $peer->call($site, "$path/who", [], header => ['X-Mnet-Peer: http://evil.example',
                'X-Mnet-Application: evil', 'X_Mnet_Method: evil', 'X-Mnet-Proof: 00', 'X-Mnet-Username: evil'])->{result};
            my %said = map { (lc s/^HTTP_//r =~ tr/_/-/r) => $who->{$_} } keys %$who;
            like(delete $said{'x-mnet-proof'}, qr/^[0-9a-f]{64}$/, 'a proof');
            is_deeply(\%said, { 'x-mnet-peer' => $peer->wwwroot, 'x-mnet-application' => 'moodle',
                'x-mnet-method' => "$path/who" }, 'the caller is told by us, whatever it sent') or diag explain $who;
        };
    }
}

SKIP: {
    skip 'no python or node', 1 if !$app{python} || !$app{node} || Mnet::PhpPeer->python_missing;
    subtest 'types that a Moodle never sends' => sub {
        my ($bytes, $text) = ('AP+AfwE=', 'w6kgYWJj');
        for my $path ('local/node/api.js', 'local/python/api.py', 'local/php/api.php') {
            my $call = sub { return $peer->call_python($site, "$path/$_[0]", [$_[1]])->{result} };
            is($call->('first', { 'bytes!' => $bytes }), $bytes, "$path: bytes come back as base64 text");
            is($call->('first', { 'bytes!' => $text }), 'é abc', '  text in base64 as that text');
            is($call->('first', { 'datetime!' => '20260102T03:04:05' }), '20260102T03:04:05', '  a date');
            is($call->('first', { 'nil!' => $yes }), '', '  nil as nothing');
        }
        is($peer->call_python($site, 'local/node/api.js/asked', [{ 'bytes!' => $bytes }])->{result},
            '[{"$base64":"' . $bytes . '"}]', 'JSON has base64 as {"$base64": ...}');
        is($peer->call_python($site, 'local/node/api.js/asked', [{ 'datetime!' => '20260102T03:04:05' }])->{result},
            '[{"$dateTime":"20260102T03:04:05"}]', '  a date as {"$dateTime": ...}');
        is($peer->call_python($site, 'local/node/api.js/asked', [{ 'nil!' => $yes }])->{result}, '[null]', '  nil as null');
        is($peer->call($site, 'local/node/api.js/asked', [{ '$base64' => 'no' }])->{result},
            '[{"$struct":{"$base64":"no"}}]', '  a struct that looks like one as {"$struct": ...}');
        is_deeply($peer->call($site, 'local/node/api.js/first', [{ '$base64' => 'no' }])->{result},
            { '$base64' => 'no' }, '  which comes back as it was');
        is($peer->call($site, 'local/node/api.js/kind', [9007199254740993])->{result}, 'string',
            '  a number beyond 2^53 as a string');
        is($peer->call($site, 'local/node/api.js/kind', [9007199254740991])->{result}, 'number', '  one below it as a number');
        is($peer->call_python($site, 'local/python/api.py/kind', [{ 'bytes!' => $bytes }])->{result}, 'Binary', 'XML-RPC has base64');
        is($peer->call_python($site, 'local/python/api.py/kind', [{ 'nil!' => $yes }])->{result}, 'NoneType', '  and nil');
            is($peer->call($site, 'local/python/api.py/none', [])->{result}, '', 'None from Python');
    };
}

# --- faults --------------------------------------------------------------------------------------

is_deeply([@{ $peer->call($site, 'local/php/api.php/fail', [17, 'oh é & <b>'])->{fault} }{qw(code text)}],
    [17, 'oh é & <b>'], "an application's fault is the caller's");
is_deeply([@{ $peer->call($site, 'local/node/api.js/fail', [-3, 'oh é'])->{fault} }{qw(code text)}], [-3, 'oh é'], 'of JSON-RPC too')
    if $app{node};
is($peer->call($site, 'local/node/api.js/unknown', [])->{fault}{code}, -32601, '  and its own codes') if $app{node};
is_deeply([@{ $peer->call($site, 'local/rude/api.php/bare', [])->{fault} }{qw(code text)}], [12, 'told'], '  a code as text');

# --- bad answers ---------------------------------------------------------------------------------

my %bad = (500 => [7104, 'status 500'], 503 => [7105, 'status 503'], 404 => [7104, 'status 404'],
    302 => [7104, 'redirects are not followed'], empty => [7104, 'is empty'], html => [7104, 'no XML-RPC response'],
    call => [7104, 'it is a call'], bomb => [7104, 'no XML-RPC response'], half => [7104, '.'], cut => [7104, 'no XML-RPC response'],
    dies => [7104, 'closed the connection'], rubbish => [7104, '.'], hang => [7104, 'did not answer within the 1s'],
    drip => [7104, 'did not answer within'], large => [7104, 'MnetMaxBody'], endless => [7104, 'MnetMaxBody'],
    headers => [7104, '.'], keychange => [7104, 'fault 7025'], notjson => [7104, 'no JSON-RPC response'],
    nothing => [7104, 'neither a'], nobase => [7104, 'that is no base64'], words => [7104, 'neither a']);
for my $what (sort keys %bad) {
    my ($code, $line) = @{ $bad{$what} };
    $t->mark;
    my $started = time;
    my $got = $peer->call($site, "local/rude/api.php/$what", ['x']);
    is($got->{fault}{code}, $code, "$what: fault $code") or diag explain $got;
    ok($got->{envelope}{verified}, '  sealed and signed');
    unlike($got->{fault}{text}, qr/127\.0|secret|line/, '  that says nothing of our inside');
    my @lines = grep { /MNET1104/ } $t->lines;
    is(@lines, 1, '  one line in the log') or diag join "\n", $t->lines;
    like($lines[0] // '', qr/$line/, '  that says why');
    cmp_ok(time - $started, '<', 6, '  soon');
}
is($peer->call($site, 'local/rude/api.php/good', [])->{result}, 'good', 'and a good answer');
is($peer->call($site, 'local/rude/api.php/other', [])->{result}, 'good', 'a pattern answers what no exact path does');

# --- more than one URL ---------------------------------------------------------------------------

sub heard { my $n = grep { m{^POST /$_[0] } } $rude->heard; $rude->forget; return $n }

heard('x');
is($peer->call($site, 'local/two/api.php/down', [])->{result}, 'good', 'one is down: the next');
is($peer->call($site, 'local/two/api.php/down_down', [])->{fault}{code}, 7104, 'both are down: 7104');
$rude->forget;
is($peer->call($site, 'local/two/api.php/dies', [])->{fault}{code}, 7104, 'what may have been done is not done again');
is(heard('good'), 0, '  the next hears nothing');
is($peer->call($site, 'local/two/api.php/dies_reads', [])->{result}, 'good', '  but what only reads is asked of the next');
is($peer->call($site, 'local/two/api.php/busy', [])->{fault}{code}, 7105, 'busy: 7105');
is($peer->call($site, 'local/two/api.php/busy_reads', [])->{result}, 'good', '  what only reads is asked of the next');

# --- replays -------------------------------------------------------------------------------------

for my $case (['local/rude/api.php/good', 'changes'], ['local/two/api.php/dies_reads', 'reads']) {
    my ($method, $what) = @$case;
    my $saved = $peer->dir . '/saved';
    heard('good');
    is($peer->call($site, $method, [], save => $saved)->{result}, 'good', "a call that $what");
    is($peer->call($site, $method, [], raw => $saved)->{fault}{code}, 7102, '  sent again: 7102');
    is(heard('good'), 1, '  the application heard it once');
}

# --- services, lists, help -----------------------------------------------------------------------

is($peer->call($site, 'local/secret/api.php/x', [])->{fault}{code}, 7012, 'what is not published is not there');
my $services = $peer->call($site, 'system/listServices', [])->{result};
is_deeply([sort map { $_->{name} } grep { $_->{publish} } @$services], ['app', 'test'], 'services');
my %listed = map { $_ => 1 } @{ $peer->call($site, 'system/listMethods', ['app'])->{result} };
ok($listed{'local/rude/api.php/good'}, 'listMethods: an exact path');
ok($listed{'local/php/api.php/first'} && $listed{'local/php/api.php/fail'}, '  what an application tells of its pattern');
ok($listed{'local/node/api.js/echo'}, '  by JSON-RPC') if $app{node};
ok(!(grep { /\*|secret/ } keys %listed), '  no pattern, nothing unpublished');
my $signature = $peer->call($site, 'system/methodSignature', ['local/told/api.php/x'])->{result};
is_deeply([map { "$_->{type} $_->{name}" } @{ $signature->{parameters} }], ['string username', 'int course', 'string role'],
    'the signature of the directive');
is($signature->{return}{type}, 'boolean', '  and what it returns');
is($peer->call($site, 'system/methodHelp', ['local/told/api.php/x'])->{result}, 'Tells é.', 'its help');
is($peer->call($site, 'local/told/api.php/x', ['a'])->{fault}{code}, 7000, 'a parameter too few is not sent on');
is($peer->call($site, 'local/told/api.php/x', ['a', 1])->{result}, 'good', '  one that may be left out may');
is($peer->call($site, 'system/methodHelp', ['local/php/api.php/first'])->{result}, 'Help for local/php/api.php/first.',
    'help asked of the application');
$signature = $peer->call($site, 'system/methodSignature', ['local/php/api.php/first'])->{result};
is_deeply([$signature->{return}{type}, map { $_->{type} } @{ $signature->{parameters} }], [qw(string int struct)],
    'its signature');
ok($peer->call($site, 'system/methodHelp', ['local/rude/api.php/500'])->{envelope}{verified}, 'no help from one that fails');
# --- a large parameter ---------------------------------------------------------------------------

my $large = 'x' x 6_000_000;
cmp_ok($peer->call($site, 'local/rude/api.php/body', [$large])->{result}, '>', 6_000_000, 'six megabytes pass');

# --- an application that is down is left alone ---------------------------------------------------

subtest 'down' => sub {
    $t->mark;
    $peer->call($site, 'local/down/api.php/x', []) for 1 .. 3;
    is(scalar(grep { /MNET1107/ } $t->lines), 1, 'a line says that it is left alone');
    my @answers = map { $peer->call($site, 'local/down/api.php/x', [])->{fault}{code} } 1 .. 3;
    is_deeply(\@answers, [7104, 7104, 7104], '7104 goes on');
    like(join("\n", $t->lines), qr/left alone for some seconds/, '  unasked');
};

ok($t->alive, 'the site is alive');
undef $t;

# --- many callers, an application that hangs -----------------------------------------------------

$t = Mnet::Joined->start(peers => { moodle => { style => 'moodle', section => { MnetPublish => 'app' } } },
    config => "MnetOutgoingLimit 2\nMnetBackend local/rude/api.php/slow @{[rude('slow')]} service=app\n");
$peer = $t->peer('moodle');
subtest 'all at once' => sub {
    my @bodies = map { $peer->body($t->site, 'local/rude/api.php/slow', [$_]) } 1 .. 5;
    my @pids = map {
        my $body = $_;
        my $pid = fork // die;
        if (!$pid) { $t->post($body); POSIX::_exit(0) }
        $pid;
    } @bodies;
    ok($t->harness->wait_log(qr/MNET1104.*7105.*wait for applications already/), 'one too many: 7105');
    waitpid $_, 0 for @pids;
    is($peer->call($t->site, 'local/rude/api.php/slow', [])->{result}, 'good', 'afterwards there is room');
};
undef $t;

# --- a kept connection that dies under a call ----------------------------------------------------

# One child, so that the second call finds the connection of the first.
$t = Mnet::Joined->start(peers => { moodle => { style => 'moodle', section => { MnetPublish => 'app' } } },
    harness => { mpm => 'event' }, config => "StartServers 1\nServerLimit 1\nMaxRequestWorkers 8\nMinSpareThreads 1\nMaxSpareThreads 8\n"
        . "MnetBackend local/rude/api.php/500 @{[rude('500')]} service=app\n"
        . "MnetBackend local/once/api.php/changes @{[rude('once')]} service=app\n"
        . "MnetBackend local/once/api.php/reads @{[rude('once')]} service=app readonly\n");
($site, $peer) = ($t->site, $t->peer('moodle'));
$rude->forget;
$peer->call($site, 'system/methodHelp', ['local/rude/api.php/500']) for 1 .. 4;
is(heard('500'), 2, 'an application that tells neither help nor signature is not asked again and again');
for my $case (['changes', 7104, 2], ['reads', undef, 3]) {
    my ($what, $code, $times) = @$case;
    heard('once');
    my ($first, $second) = map { $peer->call($site, "local/once/api.php/$what", []) } 1, 2;
    is($first->{result}, 'good', "$what: the first on a connection");
    is($second->{fault}{code}, $code, $code ? '  the second is not answered' : '  the second is asked again');
    is(heard('once'), $times, "  the application heard $times calls");
}

undef $t;

# --- an application in this very httpd -----------------------------------------------------------

my $h;
my $own = Mnet::PhpPeer->start(style => 'moodle');
$h = Mnet::Harness->new(modules => [qw(cgid alias mime)], config => sub {
    my ($here) = @_;
    return $own->section(MnetPublish => 'app') . "ScriptSock @{[$here->root]}/run/cgid\n"
        . "ScriptAlias /app @{[$here->root]}/app.cgi\n<Directory @{[$here->root]}>\nRequire all granted\n</Directory>\n"
        . "MnetBackend local/own/api.php/* @{[$here->url(0, '/app?x=1')]} service=app\n";
});
Mnet::Harness::write_file($h->root . '/app.cgi', <<'CGI');
#!/usr/bin/perl
local $/;
<STDIN>;
print "Content-Type: text/xml\n\n<methodResponse><params><param><value><string>";
print join ' ', map { $ENV{"HTTP_X_MNET_$_"} // 'none' } qw(PEER APPLICATION METHOD PROOF USERNAME);
print "</string></value></param></params></methodResponse>\n";
CGI
chmod 0755, $h->root . '/app.cgi';
$h->start;
$own->learn($h->wwwroot(0), 'moodle');
is($own->call($h->wwwroot(0), 'local/own/api.php/x', [])->{result}, $own->wwwroot . ' moodle local/own/api.php/x none none',
    'an application in this httpd is told who calls');
my %forged = ('X-Mnet-Peer' => $own->wwwroot, 'X-Mnet-Application' => 'moodle', 'X-Mnet-Method' => 'local/own/api.php/x');
for my $proof (undef, '00' x 32, '') {
    my $got = $h->http(POST => $h->url(0, '/app?x=1'), { %forged, defined $proof ? ('X-Mnet-Proof' => $proof) : () }, 'x');
    like($got->{content}, qr/none none none none none/, '  and nobody else can say so: ' . ($proof // 'no proof'));
}
undef $h;

done_testing;
