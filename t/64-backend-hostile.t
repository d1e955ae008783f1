#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Applications that mean ill or are broken: answers that nobody asked for, answers to other
# requests, none at all while httpd is stopped.

use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Temp;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);
use Mnet::Backend;
use Mnet::Harness;
use Mnet::Joined;

my $missing = Mnet::PhpPeer->missing;
plan skip_all => $missing if $missing;

# --- answers that nobody asked for ---------------------------------------------------------------

sub xml  { return Mnet::Backend::answer(Mnet::Backend::response("<string>$_[0]</string>")) }
sub json { return Mnet::Backend::answer($_[0], type => 'application/json') }

my $mark = File::Temp->new;
my %say = (
    good => sub { print { $_[0] } xml('good'); 1 },
    # In the same packet, and when the answer has been taken.
    twice => sub { print { $_[0] } xml('twice') . xml('planted'); 1 },
    later => sub {
        print { $_[0] } xml('later');
        sleep 0.2; # the call is over by then
        print { $_[0] } xml('planted');
        utime 1, 1, "$mark";
        return 1;
    },
    id => sub { print { $_[0] } json('{"id": 77, "result": "of another"}'); 1 },
    text_id => sub { print { $_[0] } json('{"id": "x", "result": "of another"}'); 1 },
    mine => sub { my ($id) = $_[1] =~ /"id":(\d+)/; print { $_[0] } json(qq({"id": $id, "result": "mine"})); 1 },
    null => sub { print { $_[0] } json('{"id": null, "result": "for all"}'); 1 },
    no_code => sub { print { $_[0] } json('{"error": {"message": "x"}}'); 1 },
    no_text => sub { print { $_[0] } json('{"error": {"code": 5}}'); 1 },
    half_code => sub { print { $_[0] } json('{"error": {"code": 1.5, "message": "x"}}'); 1 },
    hang => sub { sleep 60; 0 },
    slow => sub { sleep 1; print { $_[0] } xml('slow'); 1 },
    mnet => sub { sleep 60; 0 },    # as if it were a peer
);
my $app = Mnet::Backend->rude(sub {
    my ($socket, $head, $body) = @_;
    my ($what) = $head =~ m{^POST /(\w+)};
    return $say{$what}->($socket, $body);
});
my $methods = join '', map { "MnetBackend local/x/$_ @{[$app->url(\"/$_\")]} service=app\n" } qw(good twice later slow hang);
$methods .= join '', map { "MnetBackend local/j/$_ @{[$app->url(\"/$_\")]} service=app format=json\n" }
    qw(id text_id mine null no_code no_text half_code);

sub joined {
    my ($mpm, $config, %section) = @_;
    return Mnet::Joined->start(harness => { mpm => $mpm, modules => ['authz_host'] }, config => $config . $methods,
        peers => { moodle => { style => 'moodle', section => { MnetPublish => 'app', %section } } });
}

# One child, so that each call finds the connection of the one before.
my $t = joined('event', "StartServers 1\nServerLimit 1\nMaxRequestWorkers 8\nMinSpareThreads 1\nMaxSpareThreads 8\n");
my ($site, $peer) = ($t->site, $t->peer('moodle'));
sub say_of { return $peer->call($site, "local/$_[0]", [])->{result} }

is(say_of('x/twice'), 'twice', 'two answers to one call: the first is its answer');
is(say_of('x/good'), 'good', '  and the second nobody\'s');
is(say_of('x/later'), 'later', 'one that comes when the call is over');
Mnet::Harness::wait_for(sub { (stat "$mark")[9] == 1 });
is(say_of('x/good'), 'good', '  is not taken for the answer to the next call');

# --- JSON-RPC ------------------------------------------------------------------------------------

is(say_of('j/mine'), 'mine', 'an answer with the id of the call');
is(say_of('j/null'), 'for all', '  or with none');
for my $case (['id', qr/answer is to another request/], ['text_id', qr/answer is to another request/],
    ['no_code', qr/no JSON-RPC response/], ['no_text', qr/no JSON-RPC response/], ['half_code', qr/no JSON-RPC response/]) {
    my ($what, $line) = @$case;
    $t->mark;
    is($peer->call($site, "local/j/$what", [])->{fault}{code}, 7104, "$what: 7104");
    ok((grep { /MNET1104/ && /$line/ } $t->lines), '  and a line that says why');
}
undef $t;

# --- httpd is restarted or stopped while calls wait ----------------------------------------------

# In a process of its own; what it was answered.
sub meanwhile {
    my ($method) = @_;
    my $pid = open(my $answer, '-|') // die "fork: $!";
    if (!$pid) {
        print $peer->call($site, $method, [])->{result} // '';
        close STDOUT;
        POSIX::_exit(0);
    }
    return $answer;
}

for my $mpm (qw(event worker prefork)) {
    $t = joined($mpm, "<Location /call>\nSetHandler mnet-call\nRequire ip 127.0.0.1\n</Location>\n",
        MnetPeerEndpoint => $app->url(''));
    ($site, $peer) = ($t->site, $t->peer('moodle'));
    $app->forget;
    my $answer = meanwhile('local/x/slow');
    Mnet::Harness::wait_for(sub { grep { m{/slow} } $app->heard }, 20);
    $t->harness->graceful(at_once => 1);
    is(readline $answer, 'slow', "$mpm: a graceful restart lets a call end");
    close $answer;
    $app->forget;
    my $call = JSON::PP->new->encode({ peer => $peer->wwwroot, method => 'test/echo/lib.php/slow' });
    my $waiting = $peer->body($site, 'local/x/hang', []);
    my @pids = map {
        my $what = $_;
        my $pid = fork // die;
        if (!$pid) {
            $what ? $t->post($waiting) : $t->post($call, path => '/call', headers => { 'Content-Type' => 'application/json' });
            POSIX::_exit(0);
        }
        $pid;
    } 0, 1;
    # The third is httpd's own call of the peer, soon after its start.
    Mnet::Harness::wait_for(sub { 3 <= $app->heard }, 20);
    my $started = time;
    kill 'TERM', $t->harness->pid;
    ok($t->harness->reap(30), "$mpm: it stops");
    # httpd asks its children again after a second, two and so on, and kills them after ten.
    cmp_ok(time - $started, '<', 4, '  within some seconds, whoever is waited for');
    unlike($t->log_text, qr/AH00045|AH00046|AH00052/, '  no child has to be killed, none crashes');
    delete $t->harness->{pid};
    waitpid $_, 0 for @pids;
    undef $t;
}

done_testing;
