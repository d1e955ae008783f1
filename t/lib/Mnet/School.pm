# SPDX-License-Identifier: Apache-2.0
package Mnet::School;

# A site with MnetLedger On, joined to peers in PHP as Moodles (Mnet::SignOn): what the tests of the
# school ledger start from.
#
#   my $t = Mnet::School->start(styles => ['moodle'], peers => {...}, config => $text, ...);
#   $t->says('moodle', new_grade => {...})     the peer calls that method of ours: the whole reply
#   $t->ok_says('moodle', $what, method => {...})   and it must answer true
#   $t->refuses('moodle', $what, $code, $field, method => {...})
#   $t->ledger(@args)                          mnetctl ledger ... --json: { exit, out, err, json }
#   $t->report($student, @args)                { 'section name' => {...} }, from its JSON
#   $t->counts                                 { people => N, ... }
#   $t->moodle('moodle', %school)              what the peer has (t/peer/school.php)

use strict;
use warnings;
use utf8;
use parent 'Mnet::SignOn';
use Encode qw(encode_utf8);
use JSON::PP;
use Test::More ();

my $PREFIX = 'mod/schooltool/rpclib.php';
my $SERVICES = 'sso_idp sso_sp schooltool mnet_enrol';

sub start {
    my ($class, %o) = @_;
    my %peers = (%{ $o{peers} || {} }, map { $_ => { style => $_ } } @{ $o{styles} || [] });
    for my $peer (values %peers) {
        $peer->{section} = { MnetPublish => $SERVICES, MnetSubscribe => $SERVICES, %{ $peer->{section} || {} } };
    }
    return $class->SUPER::start(%o, styles => [], peers => \%peers,
        config => 'MnetLedger ' . ($o{ledger} // 'On') . "\n" . ($o{config} // ''));
}

sub says {
    my ($self, $name, $method, $data) = @_;
    return $self->peer($name)->call($self->site, "$PREFIX/$method", [$data]);
}

sub ok_says {
    my ($self, $name, $what, $method, $data) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = $self->says($name, $method, $data);
    return Test::More::ok(JSON::PP::is_bool($got->{result}) && $got->{result}, $what)
        || Test::More::diag(Test::More::explain($got->{fault} || $got));
}

sub refuses {
    my ($self, $name, $what, $code, $field, $method, $data) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = $self->says($name, $method, $data);
    my $fault = $got->{fault} || {};
    return Test::More::ok(($fault->{code} // 0) == $code && ($fault->{text} // '') =~ /^\Q$field\E: ./,
        "$what: $code, $field") || Test::More::diag(Test::More::explain($got->{fault} || $got));
}

sub ledger {
    my ($self, @args) = @_;
    return $self->ctl('ledger', map { utf8::is_utf8($_) ? encode_utf8($_) : $_ } @args);
}

sub report {
    my ($self, $student, @args) = @_;
    my $got = $self->ledger('report', '--student', $student, @args);
    die "no report: $got->{out}$got->{err}" if $got->{exit};
    return { map { $_->{name} => $_ } @{ $got->{json}{sections} } };
}

sub grades {
    my ($self, $student, $section, @args) = @_;
    my $of = $self->report($student, @args)->{$section} or return;
    return { map { $_->{name} => $_->{grade} ? $_->{grade}{points} : undef } @{ $of->{assessments} } };
}

sub counts {
    my ($self) = @_;
    my $json = $self->ledger('status')->{json};
    return { map { $_ => $json->{$_} } qw(people sections enrolments assessments grades history) };
}

sub moodle {
    my ($self, $name, %school) = @_;
    my $peer = $self->peer($name);
    $peer->run('admin.php', JSON::PP->new->utf8->encode({ school => \%school }), $peer->dir, 'change', '-');
    die 'the school was not changed' if $peer->{exit};
    return;
}

# A class to begin with: Ms Gray teaches Alice and Bob algebra.
sub first_class {
    my ($self, $name) = @_;
    my @people = (['gray', 'Ms', 'Gray', '987234'], ['alice', 'Alice', 'Ångström', '1234457'], ['bob', 'Bob', '漢字', '2347234']);
    my @said = ((map { [fetch_user => { username => $_->[0], firstname => $_->[1], lastname => $_->[2],
        idnumber => $_->[3], email => "$_->[0]\@example.net" }] } @people),
        [new_section => { name => 'Algebra 1', idnumber => '197423', teacheridnumber => '987234', segment => 1 }],
        (map { [new_enrolment => { sectionid => '197423', userid => $_, role => 'student' }] } qw(1234457 2347234)),
        [new_assessment => { sectionid => '197423', name => 'Quiz', idnumber => '73743734', chapternum => 3,
            honors_required => JSON::PP::false, nonhonors_required => JSON::PP::true,
            extra_credit => JSON::PP::false, pointval => 68 }]);
    my @got = $self->peer($name)->call($self->site, 'many', [map { ["$PREFIX/$_->[0]", [$_->[1]]] } @said]);
    my @bad = grep { !$_->{result} } @got;
    die 'no class: ' . JSON::PP->new->encode(\@bad) if @bad || @got != @said;
    return;
}

1;
