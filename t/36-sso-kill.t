#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The whole server is killed with SIGKILL at random moments during two hundred sign-ons (scaled by
# MNET_TEST_SIGNONS).  Afterwards every session that a browser was given holds, and no token works twice.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Mnet::Browser;
use Mnet::Network;

my $SIGNONS = $ENV{MNET_TEST_SIGNONS} // 200;
my $AGENT = 'Mnet-Test/1.0';

# Site 0 provides identities, site 1 takes them.  A token lives long: only being spent protects it.
my $n = Mnet::Network->start(config => "MnetTokenLifetime 10m\nMnetTimeout 5s\n", site_config => sub {
    my ($self, $h, $i) = @_;
    return Mnet::Network::identity_provider($h) . <<'CONF';
<Location /app>
    AuthType Mnet
    Require valid-user
    Header always set X-User "expr=%{REMOTE_USER}"
</Location>
CONF
});
my $h = $n->harness;
mkdir $h->htdocs(1) . '/app';
Mnet::Harness::write_file($h->htdocs(1) . '/app/index.txt', "in\n");
my ($port) = $n->wwwroot(1) =~ /:(\d+)$/;
my $cookie = "mnet_session_$port";
my @users = qw(alice bob carol);

# A browser that signs on over and over, and tells what it was given, as soon as it has it.
sub sign_on {
    my ($number, $to) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    srand $$;
    my $given = 0;
    for (my $i = 0;; $i++) {
        sleep 10 if $given >= 8; # so that there are kills enough on a fast machine
        my $user = $users[($i + $number) % @users];
        my $browser = Mnet::Browser->new(agent => $AGENT, user => "$user:secret", realm => $n->wwwroot(0));
        my $got = $browser->get($n->jump(0, 1, '/app/index.txt'));
        next if $got->{status} != 303;
        my ($token) = $got->{location} =~ /token=([0-9a-f]{40})/ or next;
        syswrite $to, "token $user $token\n";
        $got = $browser->get($got->{location});
        my $id = $browser->cookies->{$cookie};
        next if $got->{status} != 303 || !$id;
        syswrite $to, "session $user $token $id\n";
        $given++;
    }
}

# Whom a session is for, or the status.
sub user_of {
    my ($id) = @_;
    my $got = $h->http(GET => $n->wwwroot(1) . '/app/index.txt', { Cookie => "$cookie=$id", Accept => '*/*' });
    return $got->{status} == 200 ? $got->{headers}{'x-user'} : $got->{status};
}

sub lands {
    my ($token) = @_;
    my $browser = Mnet::Browser->new(agent => $AGENT);
    my $got = $browser->get($n->wwwroot(1) . '/auth/mnet/land.php?wantsurl=%2F&idp=' . $n->wwwroot(0) . "&token=$token");
    return $got->{status} == 303 || $browser->cookies->{$cookie} ? 1 : 0;
}

my ($kills, $late, %token, @under_way, @sessions, @lost) = (0, 0);

sub check_sessions {
    my ($when, @some) = @_;
    for my $session (@some) {
        my $found = user_of($session->{id});
        push @lost, "$when: the session of $session->{user} is $found"
            if $found ne "$session->{user}\@127.0.0.1:" . $h->port(0);
    }
    return;
}

while (@sessions < $SIGNONS) {
    $h->start if !$h->pid;
    check_sessions("after kill $kills", @sessions ? ($sessions[-1], $sessions[rand @sessions]) : ());
    # Those who had a token but no session yet when it was killed: some can go on, once.
    $late += grep { lands($_) } splice @under_way;
    pipe my $in, my $out or die "pipe: $!";
    my @pids = map { sign_on($_, $out) } 1, 2;
    close $out;
    sleep 0.02 + rand 0.1; # killed at any moment of a sign-on
    $h->kill9;
    kill 'KILL', @pids;
    waitpid $_, 0 for @pids;
    $kills++;
    my %now;
    while (my $line = <$in>) {
        my ($what, $user, $token, $id) = split ' ', $line;
        $token{$token} = $user;
        $now{$token} = $what;
        push @sessions, { user => $user, token => $token, id => $id } if $what eq 'session';
    }
    @under_way = grep { $now{$_} eq 'token' } keys %now;
    die 'nobody gets in' if $kills > 20 * $SIGNONS;
}

$h->start;
diag sprintf '%d kills, %d tokens, %d sign-ons', $kills, scalar keys %token, scalar @sessions;
cmp_ok(scalar @sessions, '>=', $SIGNONS, "at least $SIGNONS sign-ons");
cmp_ok($kills, '>=', $SIGNONS / 20, "killed $kills times");
check_sessions('at the end', @sessions);
is_deeply(\@lost, [], 'every session that a browser was given holds, for the right user');

# The identical repeat is answered for five seconds after the claim.
sleep 5.5;
my %used = map { $_->{token} => 1 } @sessions;
is(scalar(grep { lands($_) } keys %used), 0, 'no token of theirs works again');
$late += grep { lands($_) } splice @under_way;
sleep 5.5; # and those are past their repeat as well
is(scalar(grep { lands($_) } keys %token), 0, "nor does any other, of which $late let somebody in after a kill");
check_sessions('after all that', @sessions);
is_deeply(\@lost, [], 'the sessions still hold');
$h->stop;
done_testing;
